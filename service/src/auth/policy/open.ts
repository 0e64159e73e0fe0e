import { ConfigError } from "../../config/error.js";
import { reasonOf } from "../../failure/reason-of.js";
import type { Logger } from "../../log/logger.js";
import { Reloading } from "../reloading.js";
import type { Policy } from "./authority.js";
import { Policies } from "./policies.js";

/** The policy of a service, kept up with its file. */
export interface OpenPolicies {
  readonly policies: Policies;
  /** Reads the file again. Never rejects. */
  readonly reload: () => Promise<void>;
  readonly close: () => void;
}

/** @param path the policy file; undefined = there is none. Rejects with ConfigError for one that cannot be used. */
export async function openPolicies(path: string | undefined, log: Logger): Promise<OpenPolicies> {
  if (path === undefined) {
    return { policies: new Policies(), reload: () => Promise.resolve(), close: () => undefined };
  }
  // Half a megabyte that a service without a policy does without.
  const { parsePolicy } = await import("./parse.js");
  const parse = ([text]: readonly Buffer[]): Policy => parsePolicy(path, String(text));
  const file = await Reloading.open({ what: "policy", paths: [path], parse, log }).catch((cause: unknown) => {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`${path}: ${reasonOf(cause)}`);
  });
  return {
    policies: new Policies(file),
    reload: () => file.reload(),
    close: () => {
      file.close();
    },
  };
}
