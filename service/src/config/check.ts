import pino from "pino";
import { openSources } from "../auth/open-sources.js";
import { reasonOf } from "../failure/reason-of.js";
import { ConfigError } from "./error.js";
import type { ConfigFile, RawValue } from "./file.js";
import { givenValues, loadConfig, type RawConfig } from "./load.js";
import { formatAddress } from "./listen.js";
import type { Listener } from "./listener.js";
import { keyOf } from "./name.js";
import { metaOf } from "./option.js";
import { optionNames, options } from "./schema.js";

/**
 * What a configuration comes to, in the form of a file, with where each value comes from.
 *
 * @throws ConfigError for one that cannot be used
 */
export async function checkConfig(
  flags: RawConfig,
  environment: NodeJS.ProcessEnv,
  file?: ConfigFile,
): Promise<string> {
  const { listeners, sessionDir } = loadConfig(flags, environment, file);
  await checkFiles(listeners);
  if (sessionDir !== undefined) await checkSessions(sessionDir);
  const given = givenValues({ flags, environment, file });
  const rows = optionNames.flatMap((name): [line: string, source: string][] => {
    const { value, source } = given.get(name) ?? { value: metaOf(options[name]).fallback, source: "default" };
    return value === undefined ? [] : [[`${keyOf(name)}: ${written(value)}`, source]];
  });
  for (const [index, entry] of (file?.listeners ?? []).entries()) {
    const source = `${file?.path ?? ""}:${file?.lineOf(["listeners", index]) ?? 1}`;
    if (index === 0) rows.push(["listeners:", ""]);
    for (const [nth, [name, value]] of Object.entries(entry).entries()) {
      rows.push([`  ${nth === 0 ? "-" : " "} ${keyOf(name)}: ${written(value)}`, nth === 0 ? source : ""]);
    }
  }
  const width = Math.max(...rows.map(([line]) => line.length));
  return rows.map(([line, source]) => (source === "" ? `${line}\n` : `${line.padEnd(width)}  # ${source}\n`)).join("");
}

/** As YAML. */
function written(value: RawValue): string {
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  return /^[\w./+-][\w./:@%+=-]*$/.test(value) && !value.endsWith(":") ? value : JSON.stringify(value);
}

/** @throws ConfigError naming each line of a session as a file that cannot be used; whether this host can measure it only the service knows */
async function checkSessions(path: string): Promise<void> {
  const { readFolder } = await import("../declared/folder.js");
  const { parseSession, SessionFileError } = await import("../declared/parse.js");
  const problems: string[] = [];
  const { files } = await readFolder(path).catch((error: unknown) => {
    throw new ConfigError(`${path}: ${reasonOf(error)}`);
  });
  for (const [name, contents] of files) {
    try {
      if (contents instanceof Error) throw new SessionFileError(`${name}: ${contents.message}`);
      await parseSession(name, contents);
    } catch (error) {
      if (!(error instanceof SessionFileError)) throw error;
      problems.push(...error.message.split("\n").map((line) => `${path}/${line}`));
    }
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
}

/** @throws ConfigError naming each file of a listener that cannot be used */
async function checkFiles(listeners: readonly Listener[]): Promise<void> {
  const problems: string[] = [];
  for (const { address, tls } of listeners) {
    if (tls === undefined) continue;
    const where = formatAddress(address);
    try {
      const { all } = await openSources(tls, where, pino({ level: "silent" }));
      for (const each of all) each.close();
    } catch (error) {
      problems.push(`${where}: ${reasonOf(error)}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
}
