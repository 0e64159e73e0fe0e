import { ConfigError } from "./error.js";

/** Does the work of a command. @returns the exit code: 2 for a configuration that cannot be used, after saying why */
export async function orComplain(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const line of error.message.split("\n")) process.stderr.write(`latscope: ${line}\n`);
    return 2;
  }
}
