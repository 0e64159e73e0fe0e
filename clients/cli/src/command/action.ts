import type { Command } from "commander";
import { addressFrom } from "../connection/address.js";
import { connect, type Connection } from "../connection/connect.js";
import { isServiceError, problemLines } from "../connection/problem.js";
import { Output } from "../terminal/output.js";
import type { Outputs } from "../stream/view.js";

/** What a command is given by the program it belongs to. */
export interface Program {
  outputs: Outputs;
  /** The process's exit code. */
  setCode: (code: number) => void;
}

/** The standard streams. */
export function standardOutputs(): Outputs {
  return { out: new Output(process.stdout), err: new Output(process.stderr) };
}

/** Runs `work` with a connection to where the command's `--address` says. A call that fails is told on stderr; the code is 1 then. */
export async function withConnection(
  command: Command,
  { outputs, setCode }: Program,
  work: (connection: Connection) => Promise<number>,
): Promise<void> {
  const connection = connect(addressFrom(addressFlag(command), process.env));
  try {
    setCode(await work(connection));
  } catch (error) {
    if (!isServiceError(error)) throw error;
    await complain(outputs, problemLines(error, connection.address, false));
    setCode(1);
  } finally {
    connection.close();
  }
}

/** Lines of complaint: the first says who complains. */
export function complain({ err }: Outputs, lines: readonly string[]): Promise<void> {
  return err.writeLines(lines.map((line, index) => (index === 0 ? `latscope: ${line}` : line)));
}

// The flag may stand before or after the command's name.
function addressFlag(command: Command): string | undefined {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const { address } = at.opts<{ address?: string }>();
    if (address !== undefined) return address;
  }
  return undefined;
}
