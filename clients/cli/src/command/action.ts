import type { Command } from "commander";
import { addressFrom } from "../connection/address.js";
import { credentialsFor, tlsFlagNames, type TlsFlags } from "../connection/credentials.js";
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
  const given = connectionFlags(command);
  const address = addressFrom(given.address, process.env);
  const connection = connect(address, await credentialsFor(address, given));
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

interface ConnectionFlags extends TlsFlags {
  address?: string;
}

// The flags may stand before or after the command's name.
function connectionFlags(command: Command): ConnectionFlags {
  const given: ConnectionFlags = {};
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const flags = at.opts<ConnectionFlags>();
    for (const name of ["address", ...tlsFlagNames] as const) {
      const value = given[name] ?? flags[name];
      if (value !== undefined) given[name] = value;
    }
  }
  return given;
}
