import { Command } from "commander";

/**
 * `latscope auth`: explains what the service would let somebody do. It is loaded only where it is asked for.
 * @param asked whether this run is about it
 */
export async function authCommand(asked: boolean): Promise<Command> {
  if (!asked) return new Command("auth").description("who may do what");
  const { authCommand: loaded } = await import("@latscope/service");
  return loaded();
}
