import { readFile } from "node:fs/promises";
import { ConfigError } from "./error.js";
import { keyOf } from "./name.js";
import { listenerEntry } from "./listener.js";
import { optionNames, type OptionName } from "./schema.js";

/** Where the file is looked for when nobody says where it is. */
export const defaultConfigPath = "/etc/latscope/config.yaml";

/** One value in the file, as it is written there. */
export type RawValue = string | string[];

/** What a configuration file says; every value is text still. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Partial<Record<OptionName, RawValue>>;
  readonly listeners: Readonly<Record<string, RawValue>>[];
  /** @param at `["drainTimeout"]`, `["listeners", 0, "tlsCert"]` @returns the line, from 1 on */
  lineOf(at: readonly PropertyKey[]): number;
}

/**
 * Reads the file at `path`; without one, the default one, if there is any.
 *
 * @throws ConfigError naming each line that is no YAML, or has a key that does not exist
 */
export async function readConfigFile(path: string | undefined): Promise<ConfigFile | undefined> {
  const from = path ?? defaultConfigPath;
  let text: string;
  try {
    text = await readFile(from, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (path === undefined && code === "ENOENT") return undefined;
    throw new ConfigError(`${from}: ${code === "ENOENT" ? "there is no such file" : message}`);
  }
  // Half a megabyte that a service without a file does without.
  const { parseConfig } = await import("./yaml.js");
  return parseConfig(from, text);
}

/** The keys of the file, and the option that each stands for. */
export const fileKeys: ReadonlyMap<string, OptionName | "listeners"> = new Map(
  [...optionNames, "listeners" as const].map((name) => [keyOf(name), name]),
);

/** The keys of an entry of `listeners`. */
export const listenerKeys: ReadonlyMap<string, string> = new Map(
  Object.keys(listenerEntry.shape).map((name) => [keyOf(name), name]),
);
