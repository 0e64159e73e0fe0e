import { Command, Option } from "commander";
import { ConfigError, flagOf, isList, loadConfig, optionNames, variableOf, type RawConfig } from "./load.js";
import type { OptionMeta } from "./option.js";
import { options, type OptionName } from "./schema.js";

/** The command `serve`: runs the service until a signal ends it. Its flags and help come from the schema. */
export function serveCommand(): Command {
  const command = new Command("serve").description("run the service").allowExcessArguments(false);
  for (const name of optionNames) command.addOption(optionFor(name));
  return command.action(async (flags: RawConfig) => {
    process.exitCode = await runServe(flags);
  });
}

async function runServe(flags: RawConfig): Promise<number> {
  try {
    const config = loadConfig(flags, process.env);
    // Only who runs the service needs all of it; whoever asks for help does not wait.
    const { serve } = await import("../serve.js");
    return await serve(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const line of error.message.split("\n")) process.stderr.write(`latscope: ${line}\n`);
    return 2;
  }
}

function optionFor(name: OptionName): Option {
  const schema = options[name];
  const { description, value, fallback } = schema.meta() as unknown as OptionMeta;
  const help = `${description}${fallback === undefined ? "" : ` (default: ${fallback})`}; ${variableOf(name)}`;
  if (value === undefined) return new Option(flagOf(name), help).preset("true");
  const option = new Option(`${flagOf(name)} <${value}>`, help);
  if (!isList(name)) return option;
  return option.argParser((text: string, earlier: string[] | undefined) => [...(earlier ?? []), text]);
}
