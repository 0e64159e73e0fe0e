import { Command } from "commander";

/**
 * `latscope serve`: the service itself, in this process. Its flags are its own; it is loaded only where it is asked for, because it
 * brings the native addon with it.
 * @param asked whether this run is about it
 */
export async function serveCommand(asked: boolean): Promise<Command> {
  if (!asked) return new Command("serve").description("run the service");
  const { serveCommand: loaded } = await import("@latscope/service");
  return loaded();
}
