import { configSchema, options, type Config, type OptionName } from "./schema.js";

/** Raw values by option, as flags or variables give them. */
export type RawConfig = Partial<Record<OptionName, string | string[]>>;

/** A configuration that cannot be used; the message names each flag or variable and what is wrong with it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export const optionNames = Object.keys(options) as OptionName[];

const lists: ReadonlySet<OptionName> = new Set<OptionName>(["listen", "nodeLabel"]);

/** `drainTimeout` -> `--drain-timeout`. */
export function flagOf(name: OptionName): string {
  return `--${kebab(name)}`;
}

/** `drainTimeout` -> `LATSCOPE_DRAIN_TIMEOUT`. */
export function variableOf(name: OptionName): string {
  return `LATSCOPE_${kebab(name).replaceAll("-", "_").toUpperCase()}`;
}

export function isList(name: OptionName): boolean {
  return lists.has(name);
}

/** Flags win over the environment. @throws ConfigError */
export function loadConfig(flags: RawConfig, environment: NodeJS.ProcessEnv): Config {
  const fromEnvironment = readEnvironment(environment);
  const result = configSchema.safeParse({ ...fromEnvironment, ...flags });
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => {
    const name = issue.path[0] as OptionName;
    const source = name in flags ? flagOf(name) : variableOf(name);
    return `${source}: ${issue.message}`;
  });
  throw new ConfigError(lines.join("\n"));
}

function readEnvironment(environment: NodeJS.ProcessEnv): RawConfig {
  const raw: RawConfig = {};
  for (const name of optionNames) {
    const value = environment[variableOf(name)];
    if (value === undefined || value === "") continue;
    raw[name] = isList(name) ? value.split(",").map((part) => part.trim()) : value;
  }
  return raw;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
