import { reasonOf } from "../failure/reason-of.js";
import type { Logger } from "../log/logger.js";

/** Where lines go. One write at a time. */
export interface LineSink {
  /** What it is, for a person: `the file /var/log/latscope/audit.log`. */
  readonly name: string;
  /** Writes all of the lines or rejects; those that were written all the same may come twice. */
  write(lines: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Lines that found no room while their sink did not take any. */
export interface LostLines {
  count: number;
  /** Milliseconds since 1970. */
  from: number;
  to: number;
}

export interface LineQueueOptions {
  sink: LineSink;
  log: Logger;
  /** What waits at most, in characters. */
  most: number;
  /** How long it waits before it tries again after a failure. */
  retryMs: number;
  /** The line that tells of lost ones. */
  lossLine: (lost: LostLines) => string;
}

const maxBatch = 256 * 1024;

/**
 * Lines on their way to a file or the like. Whoever adds one never waits: when the sink is slower, or takes none, they wait here up
 * to a bound, and beyond it the newest are lost, which the next line that gets through tells.
 */
export class LineQueue {
  readonly #options: LineQueueOptions;
  readonly #lines: string[] = [];
  #waiting = 0;
  #writing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #untold: LostLines | undefined;
  #written = 0;
  #lost = 0;
  #failing = "";
  #closed = false;

  constructor(options: LineQueueOptions) {
    this.#options = options;
  }

  /** Lines that were written, without those that tell of losses. */
  get written(): number {
    return this.#written;
  }

  get lost(): number {
    return this.#lost;
  }

  /** Why no line gets through at the moment; empty while they do. */
  get failing(): string {
    return this.#failing;
  }

  /** @param line one line, with its newline */
  push(line: string): void {
    if (this.#closed || this.#waiting + line.length > this.#options.most) {
      const now = Date.now();
      this.#lost += 1;
      this.#untold = { count: (this.#untold?.count ?? 0) + 1, from: this.#untold?.from ?? now, to: now };
      return;
    }
    this.#lines.push(line);
    this.#waiting += line.length;
    this.#start();
  }

  /** Writes what waits, if it can be written now, and lets the sink go. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    await this.#writing;
    if (this.#lines.length > 0) await this.#write();
    clearTimeout(this.#retry);
    await this.#options.sink.close().catch(() => undefined);
  }

  #start(): void {
    if (this.#writing !== undefined || this.#retry !== undefined) return;
    // What comes in the same turn goes into the same batch.
    this.#writing = Promise.resolve()
      .then(() => this.#write())
      .finally(() => {
        this.#writing = undefined;
        if (this.#lines.length > 0 && !this.#closed) this.#start();
      });
  }

  async #write(): Promise<void> {
    const { sink, log, lossLine, retryMs } = this.#options;
    const count = this.#batch();
    const lost = this.#untold;
    const lines = this.#lines.slice(0, count);
    try {
      await sink.write(lost === undefined ? lines : [lossLine(lost), ...lines]);
    } catch (error) {
      const why = reasonOf(error);
      // Once, not for each line: whoever looks at the log sees when it began.
      if (this.#failing === "") log.error({ sink: sink.name }, `${sink.name} cannot be written: ${why}`);
      this.#failing = why;
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#start();
      }, retryMs).unref();
      return;
    }
    if (this.#failing !== "") log.warn({ sink: sink.name, lost: this.#lost }, `${sink.name} can be written again`);
    this.#failing = "";
    this.#written += count;
    this.#lines.splice(0, count);
    for (const line of lines) this.#waiting -= line.length;
    this.#told(lost);
  }

  #batch(): number {
    let length = 0;
    let count = 0;
    for (const line of this.#lines) {
      if (count > 0 && length + line.length > maxBatch) break;
      length += line.length;
      count += 1;
    }
    return count;
  }

  /** More may have been lost while the line that tells it was written. */
  #told(lost: LostLines | undefined): void {
    if (lost === undefined || this.#untold === undefined) return;
    const count = this.#untold.count - lost.count;
    this.#untold = count === 0 ? undefined : { count, from: lost.to, to: this.#untold.to };
  }
}
