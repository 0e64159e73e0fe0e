import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import {
  EndReason,
  StreamHistogramsRequest,
  type End,
  type HistogramBatch,
  type StreamHistogramsResponse,
  type Totals,
} from "@latscope/proto";
import { expect } from "vitest";

import { expectBalanced, lostOf } from "./books.js";
import type { Client } from "./client.js";
import { seen } from "./failure.js";
import { counted } from "./histograms.js";

/** One reader of a session's histograms, and its books: every interval follows the one before, and each accounts for itself. */
export class HistogramFollower {
  readonly #call: ClientReadableStream<StreamHistogramsResponse>;
  readonly #cumulative: boolean;
  readonly #over: Promise<ServiceError | undefined>;
  readonly #batches: HistogramBatch[] = [];
  #end: End | undefined;

  /** @param request a StreamHistogramsRequest in the JSON form of the contract */
  constructor(client: Client, request: Readonly<Record<string, unknown>>) {
    const asked = StreamHistogramsRequest.fromJSON(request);
    this.#cumulative = asked.cumulative;
    this.#call = client.samples.streamHistograms(asked);
    this.#call.on("data", ({ event }: StreamHistogramsResponse) => {
      if (event?.$case === "batch") this.#batches.push(event.value);
      if (event?.$case === "end") this.#end = event.value;
    });
    this.#over = new Promise((resolve) => {
      this.#call.once("error", resolve);
      this.#call.once("end", () => {
        resolve(undefined);
      });
    });
  }

  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  cancel(): void {
    this.#call.cancel();
  }

  /**
   * Reads to End, and holds its books against those of the service.
   *
   * @param deleted the session is gone: who asked for it late found nothing
   * @returns how many latencies its histograms came to
   */
  async settle(deleted = false): Promise<bigint> {
    this.resume();
    const failure = await this.#over;
    if (deleted && failure !== undefined && seen(failure).reason === "SESSION_NOT_FOUND") return 0n;
    if (failure !== undefined) throw failure;
    const { reason, totals, sessionTotals } = this.#end ?? expect.fail("the stream ended without End");
    const intervals = whole(this.#batches);
    for (const [at, interval] of intervals.entries()) this.#check(interval, intervals[at - 1]);
    const counts = intervals.map(({ groups }) => counted(groups));
    const came = this.#cumulative ? (counts.at(-1) ?? 0n) : counts.reduce((sum, count) => sum + count, 0n);
    expect(totals).toMatchObject({ delivered: came, filtered: 0n, losses: [] });
    if (reason === EndReason.SESSION_STOPPED && this.#cumulative && intervals.length > 0) {
      expect(intervals.at(-1)?.totals).toEqual(sessionTotals);
    }
    return came;
  }

  #check({ startTime, totals }: HistogramBatch, before: HistogramBatch | undefined): void {
    if (this.#cumulative) {
      expectBalanced(totals);
      if (before !== undefined) expect(startTime).toEqual(before.startTime);
    } else if (before !== undefined) {
      expect(startTime).toEqual(before.endTime);
      expectCarriedOver(before.totals?.inFlight, totals);
    }
  }
}

/** What was in flight at the end of the interval before, and what was measured since, is accounted for. */
function expectCarriedOver(inFlight: bigint | undefined, totals: Totals | undefined): void {
  if (inFlight === undefined || totals === undefined) throw new Error("an interval without totals");
  const { measured, delivered, aggregatedOnly } = totals;
  expect(inFlight + measured).toBe(delivered + aggregatedOnly + totals.inFlight + lostOf(totals));
}

/** Intervals whose messages are put together; totals are in the last of each. */
function whole(batches: readonly HistogramBatch[]): HistogramBatch[] {
  const intervals: HistogramBatch[] = [];
  let groups: HistogramBatch["groups"] = [];
  for (const batch of batches) {
    groups = [...groups, ...batch.groups];
    expect(batch.totals === undefined).toBe(batch.more);
    if (batch.more) continue;
    intervals.push({ ...batch, groups });
    groups = [];
  }
  expect(groups).toEqual([]);
  return intervals;
}
