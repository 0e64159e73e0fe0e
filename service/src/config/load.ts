import { z } from "zod";
import { ConfigError } from "./error.js";
import type { ConfigFile, RawValue } from "./file.js";
import { flagOf, keyOf, variableOf } from "./name.js";
import { configSchema, optionNames, options, type Config, type OptionName } from "./schema.js";

/** Raw values by option, as flags, variables or the file give them. */
export type RawConfig = Partial<Record<OptionName, RawValue>>;

/** Whether an option takes several values. */
export function isList(name: OptionName): boolean {
  const option: z.ZodType = options[name];
  return option instanceof z.ZodDefault && option.unwrap() instanceof z.ZodArray;
}

/** Where the values of a configuration come from, those that win first. */
export interface Sources {
  flags: RawConfig;
  environment: NodeJS.ProcessEnv;
  file?: ConfigFile | undefined;
}

/** A value that somebody gave, and where: `--drain-timeout`, `LATSCOPE_DRAIN_TIMEOUT`, `/etc/latscope/config.yaml:7`. */
export interface GivenValue {
  value: RawValue;
  source: string;
}

/** What was given, by option: flags win over the environment, that over the file. */
export function givenValues({ flags, environment, file }: Sources): Map<OptionName, GivenValue> {
  const given = new Map<OptionName, GivenValue>();
  for (const name of optionNames) {
    const flag = flags[name];
    const variable = environment[variableOf(name)] ?? "";
    const written = file?.values[name];
    if (flag !== undefined) given.set(name, { value: flag, source: flagOf(name) });
    else if (variable !== "") given.set(name, { value: fromVariable(name, variable), source: variableOf(name) });
    else if (file !== undefined && written !== undefined) {
      given.set(name, { value: asList(name, written), source: `${file.path}:${file.lineOf([name])}` });
    }
  }
  return given;
}

/** @throws ConfigError */
export function loadConfig(flags: RawConfig, environment: NodeJS.ProcessEnv, file?: ConfigFile): Config {
  const given = givenValues({ flags, environment, file });
  const listeners = file?.listeners.map((entry) => withLists(entry)) ?? [];
  const values = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
  const result = configSchema.safeParse({ ...values, listeners });
  if (result.success) return result.data;
  const lines = result.error.issues.map(({ path, message }) => `${placeOf(path, given, file)}: ${message}`);
  throw new ConfigError(lines.join("\n"));
}

function placeOf(
  path: readonly PropertyKey[],
  given: Map<OptionName, GivenValue>,
  file: ConfigFile | undefined,
): string {
  const [first = "", index, option] = path;
  if (first === "listeners" && file !== undefined) {
    const at = `${file.path}:${file.lineOf(path)}: listeners[${String(index)}]`;
    return option === undefined ? at : `${at}.${keyOf(String(option))}`;
  }
  const name = first as OptionName;
  const source = given.get(name)?.source ?? flagOf(name);
  // A line alone does not tell which of its options; a flag or a variable does.
  return file !== undefined && source.startsWith(`${file.path}:`) ? `${source}: ${keyOf(name)}` : source;
}

function fromVariable(name: OptionName, text: string): RawValue {
  return isList(name) ? text.split(",").map((part) => part.trim()) : text;
}

function withLists(entry: Readonly<Record<string, RawValue>>): Record<string, RawValue> {
  // Its `listen` is one address.
  return Object.fromEntries(
    Object.entries(entry).map(([name, value]) => [name, name === "listen" ? value : asList(name as OptionName, value)]),
  );
}

function asList(name: OptionName, value: RawValue): RawValue {
  return isList(name) && !Array.isArray(value) ? [value] : value;
}
