import { Command, Option } from "commander";
import { orComplain } from "./complain.js";
import { defaultConfigPath, readConfigFile } from "./file.js";
import { isList, loadConfig, type RawConfig } from "./load.js";
import { flagOf, variableOf } from "./name.js";
import { metaOf } from "./option.js";
import { optionNames, options, type OptionName } from "./schema.js";

const configVariable = "LATSCOPE_CONFIG";

/** The flags of a command that loads the configuration. */
export interface ConfigFlags extends RawConfig {
  config?: string;
}

/** The command `serve`: runs the service until a signal ends it. Its flags and help come from the schema. */
export function serveCommand(): Command {
  const command = withOptions(new Command("serve").description("run the service").allowExcessArguments(false));
  return command.action(async (flags: ConfigFlags) => {
    process.exitCode = await orComplain(async () => {
      const config = loadConfig(...(await sources(flags)));
      // Only who runs the service needs all of it; whoever asks for help does not wait.
      const { serve } = await import("../serve.js");
      return serve(config);
    });
  });
}

/** The command `config`, with `config check`: what the service would be run with, and what is wrong with it. */
export function configCommand(): Command {
  const command = new Command("config").description("the service's configuration");
  const check = withOptions(
    new Command("check")
      .description("check what the service would be run with, and print it with where each value comes from")
      .allowExcessArguments(false),
  );
  check.action(async (flags: ConfigFlags) => {
    process.exitCode = await orComplain(async () => {
      const { checkConfig } = await import("./check.js");
      process.stdout.write(await checkConfig(...(await sources(flags))));
      return 0;
    });
  });
  return command.addCommand(check);
}

async function sources({ config: path, ...flags }: ConfigFlags): Promise<Parameters<typeof loadConfig>> {
  const variable = process.env[configVariable] ?? "";
  return [flags, process.env, await readConfigFile(path ?? (variable === "" ? undefined : variable))];
}

function withOptions(command: Command): Command {
  const help = `the configuration file (default: ${defaultConfigPath} if there is one); ${configVariable}`;
  command.addOption(new Option("--config <path>", help));
  for (const name of optionNames) command.addOption(optionFor(name));
  return command;
}

function optionFor(name: OptionName): Option {
  const { description, value, fallback } = metaOf(options[name]);
  const help = `${description}${fallback === undefined ? "" : ` (default: ${fallback})`}; ${variableOf(name)}`;
  if (value === undefined) return new Option(flagOf(name), help).preset("true");
  const option = new Option(`${flagOf(name)} <${value}>`, help);
  if (!isList(name)) return option;
  return option.argParser((text: string, earlier: string[] | undefined) => [...(earlier ?? []), text]);
}
