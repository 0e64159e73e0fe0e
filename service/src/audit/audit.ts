import { status as codes } from "@grpc/grpc-js";
import type { Logger } from "../log/logger.js";
import { LineQueue, type LineSink } from "../output/line-queue.js";
import type { CallRecord } from "../rpc/caller.js";
import { auditLine, summaryLine, type Missing } from "./line.js";

// Some ten thousand lines.
const mostWaiting = 4 * 1024 * 1024;
const retryMs = 1000;
// Whoever has no credential shall not be able to push everybody else's lines out of a file that rotates.
const strangersASecond = 20;

/** What became of the lines so far. */
export interface AuditCounts {
  written: number;
  lost: number;
  /** Calls of strangers that only a summary tells of. */
  summarized: number;
  /** Why no line gets through at the moment; empty while they do. */
  failing: string;
}

/** The record of who did what. It never holds up a call. */
export interface Audit {
  /** A stream has begun: it may be long until it ends. */
  opened(record: CallRecord): void;
  ended(record: CallRecord): void;
  readonly counts: AuditCounts;
  close(): Promise<void>;
}

/** Nothing is recorded. */
export const noAudit: Audit = {
  opened: () => undefined,
  ended: () => undefined,
  counts: { written: 0, lost: 0, summarized: 0, failing: "" },
  close: () => Promise.resolve(),
};

/** One line of JSON for each call, to a sink. */
export class LineAudit implements Audit {
  readonly #queue: LineQueue;
  readonly #now: () => number;
  #second = 0;
  #strangers = 0;
  #untold: Missing | undefined;
  #summarized = 0;

  /** @param now milliseconds since 1970 */
  constructor(sink: LineSink, log: Logger, now: () => number = Date.now) {
    const lossLine = (lost: Missing): string => summaryLine("lost", lost);
    this.#queue = new LineQueue({ sink, log, most: mostWaiting, retryMs, lossLine });
    this.#now = now;
  }

  opened(record: CallRecord): void {
    this.#queue.push(auditLine("open", record, this.#now()));
  }

  ended(record: CallRecord): void {
    const now = this.#now();
    if (record.status === codes.UNAUTHENTICATED && !this.#tellStranger(now)) return;
    this.#tellSummary(now);
    this.#queue.push(auditLine("call", record, now));
  }

  get counts(): AuditCounts {
    const { written, lost, failing } = this.#queue;
    return { written, lost, failing, summarized: this.#summarized };
  }

  async close(): Promise<void> {
    this.#tellSummary(Number.POSITIVE_INFINITY);
    await this.#queue.close();
  }

  /** Whether a stranger's call gets a line of its own. */
  #tellStranger(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#strangers = 0;
    }
    this.#strangers += 1;
    if (this.#strangers <= strangersASecond) return true;
    this.#summarized += 1;
    this.#untold = { count: (this.#untold?.count ?? 0) + 1, from: this.#untold?.from ?? now, to: now };
    return false;
  }

  /** Once their second is over, before what came later. */
  #tellSummary(now: number): void {
    const untold = this.#untold;
    if (untold === undefined || now < (Math.floor(untold.from / 1000) + 1) * 1000) return;
    this.#untold = undefined;
    this.#queue.push(summaryLine("strangers", untold));
  }
}
