import { CommanderError } from "commander";
import { complain, standardOutputs } from "./command/action.js";
import { createProgram, helpHint } from "./program.js";
import { UsageError } from "./spec/usage.js";
import { endWithParent } from "./terminal/orphan.js";

/**
 * Runs the command.
 * @param argv what follows the program's name
 * @returns the exit code: 0, also after Ctrl-C; 1 where the service cannot be reached or a call failed; 2 for wrong usage
 */
export async function run(argv: readonly string[]): Promise<number> {
  endWithParent(process.env);
  const outputs = standardOutputs();
  let code: number | undefined;
  try {
    const program = await createProgram(argv, { outputs, setCode: (value) => (code = value) });
    await program.parseAsync(argv, { from: "user" });
    // The service's command tells its code the way of a process.
    return code ?? Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has already said what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof UsageError)) throw error;
    await complain(outputs, [error.message, helpHint]);
    return 2;
  }
}
