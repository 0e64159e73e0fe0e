import { Command } from "commander";

const commands = {
  serve: "run the service",
  config: "the service's configuration",
  auth: "who may call the service",
} as const;

/**
 * The commands of the service itself, in this process. Their flags are their own; they are loaded only where they are asked for,
 * because the service brings much with it.
 * @param asked the command that this run is about
 */
export async function serviceCommands(asked: string | undefined): Promise<Command[]> {
  if (asked === undefined || !Object.hasOwn(commands, asked)) {
    return Object.entries(commands).map(([name, description]) => new Command(name).description(description));
  }
  const { authCommand, configCommand, serveCommand } = await import("@latscope/service");
  return [serveCommand(), configCommand(), authCommand()];
}
