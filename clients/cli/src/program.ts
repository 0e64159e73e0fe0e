import { Command } from "commander";
import type { Program } from "./command/action.js";
import { addCapabilities } from "./command/capabilities.js";
import { addHistogram } from "./command/histogram.js";
import { addReplay } from "./command/replay.js";
import { serviceCommands } from "./command/service.js";
import { addSessions } from "./command/sessions.js";
import { addSnapshot } from "./command/snapshot.js";
import { addStatus } from "./command/status.js";
import { addStream } from "./command/stream.js";
import { addAddressFlag } from "./connection/address.js";

/** What to say after a complaint about usage. */
export const helpHint = "latscope --help, or --help after a command, says more";

/** The whole command line. Parsing it throws CommanderError or UsageError when it is wrong. */
export async function createProgram(argv: readonly string[], program: Program): Promise<Command> {
  const latscope = new Command("latscope")
    .description("how long things take on a Linux host, measured in its kernel")
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({
      outputError: (text, write) => {
        write(text.replace(/^error:/, "latscope:"));
      },
    })
    .showHelpAfterError(helpHint);
  addAddressFlag(latscope);
  addStream(latscope, program);
  addHistogram(latscope, program);
  addSnapshot(latscope, program);
  addReplay(latscope, program);
  addSessions(latscope, program);
  addCapabilities(latscope, program);
  addStatus(latscope, program);
  for (const command of await serviceCommands(argv[argv[0] === "help" ? 1 : 0])) {
    for (const each of [command, ...command.commands]) each.copyInheritedSettings(latscope);
    latscope.addCommand(command);
  }
  return latscope;
}
