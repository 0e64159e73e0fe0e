import { Session, SessionSpec } from "@latscope/proto";
import { readFile } from "node:fs/promises";
import { ConfigError } from "../../config/error.js";
import { reasonOf } from "../../failure/reason-of.js";
import { insecurePrincipal, tokenPrincipal, unixPrincipal, type Principal } from "../principal.js";
import { defaultPolicy } from "./authority.js";
import type { Question } from "./explain.js";
import { messageFromJson } from "./json-message.js";
import { knownMethods } from "./method.js";
import { parsePolicy } from "./parse.js";

/** Who asks what, as it is given on a command line. */
export interface QuestionFlags {
  policy?: string;
  uid?: number;
  gid?: number[];
  uri?: string[];
  dns?: string[];
  subject?: string;
  claim?: [name: string, value: unknown][];
  insecure?: true;
  method: string;
  spec?: string;
  session?: string;
}

/** @throws ConfigError for what cannot be used */
export async function questionFrom(flags: QuestionFlags): Promise<Question> {
  const { policy, method, spec, session } = flags;
  const asked = session === undefined ? undefined : Session.decode(await message("latscope.v1.Session", session));
  return {
    principal: principalFrom(flags),
    method: methodNamed(method),
    policy: policy === undefined ? defaultPolicy : parsePolicy(policy, (await read(policy)).toString()),
    spec: spec === undefined ? undefined : SessionSpec.decode(await message("latscope.v1.SessionSpec", spec)),
    session:
      asked === undefined
        ? undefined
        : {
            name: asked.name,
            owner: asked.owner,
            measures: asked.effectiveSpec ?? asked.spec ?? SessionSpec.fromPartial({}),
          },
  };
}

function principalFrom(flags: QuestionFlags): Principal {
  const { uid, gid, uri: uris = [], dns: dnsNames = [], subject, claim } = flags;
  const given = {
    "--uid": uid !== undefined || gid !== undefined,
    "--uri or --dns": uris.length + dnsNames.length > 0,
    "--subject": subject !== undefined || claim !== undefined,
    "--insecure": flags.insecure === true,
  };
  const kinds = Object.entries(given).filter(([, is]) => is);
  if (kinds.length !== 1) throw new ConfigError(`say who asks, by one of ${Object.keys(given).join(", ")}`);
  if (flags.insecure === true) return insecurePrincipal;
  if (uid !== undefined) return unixPrincipal({ uid, gids: gid ?? [] });
  if (subject !== undefined) return tokenPrincipal(subject, Object.fromEntries(claim ?? []));
  const name = uris.find((uri) => uri.startsWith("spiffe://")) ?? dnsNames.map((dns) => `dns:${dns}`)[0];
  if (name === undefined)
    throw new ConfigError("say who asks: --gid goes with --uid, --claim with --subject, and a --uri is a SPIFFE URI");
  return { kind: "certificate", name, uris, dnsNames };
}

/** A method by its name, or by its path where several have that name. */
function methodNamed(text: string): string {
  const path = text.startsWith("/") ? text : `/${text}`;
  const found = knownMethods.filter((known) => known === path || known.endsWith(path));
  const [method] = found;
  if (method !== undefined && found.length === 1) return method;
  const list = (found.length === 0 ? knownMethods : found).map((known) => known.slice(1)).join(", ");
  throw new ConfigError(
    `--method: "${text}" is ${found.length === 0 ? "none" : "more than one"} of the methods: ${list}`,
  );
}

async function message(type: string, path: string): Promise<Uint8Array> {
  try {
    return await messageFromJson(type, (await read(path)).toString());
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`${path}: is no ${type} in JSON: ${reasonOf(error)}`);
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new ConfigError(`${path}: ${reasonOf(error)}`);
  }
}
