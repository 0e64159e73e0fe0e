import { once } from "node:events";
import type { Writable } from "node:stream";

/** A standard stream that is written no faster than it is read, and whose reader may go away. */
export class Output {
  readonly #stream: Writable;
  readonly #gone = new AbortController();

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error) => {
      this.#gone.abort(error);
    });
  }

  /** Aborted once nothing can be written any more; the reason is the stream's error. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Resolves when there is room for more, when the reader is gone, or when `giveUp` is aborted: the text waits in memory then. */
  async write(text: string, giveUp?: AbortSignal): Promise<void> {
    if (text === "" || this.gone.aborted || this.#stream.write(text)) return;
    const signal = giveUp === undefined ? this.gone : AbortSignal.any([this.gone, giveUp]);
    try {
      await once(this.#stream, "drain", { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async writeLines(lines: readonly string[], giveUp?: AbortSignal): Promise<void> {
    await this.write(lines.map((line) => `${line}\n`).join(""), giveUp);
  }
}

/** Whether a reader that left is all that an error of a standard stream tells, as with `| head`. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}
