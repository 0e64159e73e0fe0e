import { constants } from "node:os";

// npm passes on to its child the Ctrl-C that the terminal has already sent to both; only what comes later is a second one.
const sameKeyMs = 300;
// The summary is written by then, unless nobody reads what we write.
const patienceMs = 3000;

/** Ctrl-C and SIGTERM: the first asks to end with a summary, the second ends at once. */
export class Interrupt {
  readonly #first = new AbortController();
  #firstAt = 0;

  constructor() {
    process.on("SIGINT", this.#received);
    process.on("SIGTERM", this.#received);
  }

  /** Aborted by the first. */
  get signal(): AbortSignal {
    return this.#first.signal;
  }

  dispose(): void {
    process.off("SIGINT", this.#received);
    process.off("SIGTERM", this.#received);
  }

  readonly #received = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (this.signal.aborted) {
      if (now - this.#firstAt >= sameKeyMs) process.exit(128 + constants.signals[signal]);
      return;
    }
    this.#firstAt = now;
    this.#first.abort();
    // What waits for a reader that has stopped reading keeps the process; this timer does not.
    setTimeout(() => process.exit(0), patienceMs).unref();
  };
}
