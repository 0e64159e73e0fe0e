import { write } from "node:fs";
import { promisify } from "node:util";
import type { LineSink } from "./line-queue.js";

const writeTo = promisify(write);
const stdout = 1;

/** Lines on stdout, for whoever collects those. Not through process.stdout, which holds the service up while a pipe is full. */
export class StandardOutput implements LineSink {
  readonly name = "stdout";

  async write(lines: readonly string[]): Promise<void> {
    let rest = Buffer.from(lines.join(""));
    while (rest.length > 0) {
      const { bytesWritten } = await writeTo(stdout, rest);
      rest = rest.subarray(bytesWritten);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
