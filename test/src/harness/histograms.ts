import type { ClientReadableStream } from "@grpc/grpc-js";
import {
  StreamHistogramsRequest,
  type End,
  type GroupHistogram,
  type HistogramBatch,
  type StreamHistogramsResponse,
} from "@latscope/proto";

import type { Client } from "./client.js";

/** Follows one StreamHistograms call, held against what the contract says of all of them. */
export class HistogramStream {
  readonly #call: AsyncIterator<StreamHistogramsResponse, undefined>;

  private constructor(call: ClientReadableStream<StreamHistogramsResponse>) {
    this.#call = (call as AsyncIterable<StreamHistogramsResponse, undefined>)[Symbol.asyncIterator]();
  }

  /** Opens it, the request in the JSON form of the contract, and waits until it says that it counts from here. */
  static async open(client: Client, request: Readonly<Record<string, unknown>>): Promise<HistogramStream> {
    const stream = new HistogramStream(client.samples.streamHistograms(StreamHistogramsRequest.fromJSON(request)));
    const event = await stream.#next();
    if (event.$case !== "start") throw new Error(`${event.$case} instead of Start`);
    return stream;
  }

  /** Takes everything up to End: the intervals, each whole, and the books. */
  async ended(): Promise<{ intervals: readonly Interval[]; end: End }> {
    const intervals: Interval[] = [];
    let groups: GroupHistogram[] = [];
    for (;;) {
      const event = await this.#next();
      if (event.$case === "start") throw new Error("a second Start");
      if (event.$case === "end") {
        if ((await this.#call.next()).done !== true) throw new Error("a message after End");
        return { intervals, end: event.value };
      }
      if (event.$case !== "batch") continue;
      groups.push(...event.value.groups);
      if (event.value.more) continue;
      intervals.push({ ...event.value, groups });
      groups = [];
    }
  }

  async #next(): Promise<NonNullable<StreamHistogramsResponse["event"]>> {
    const { value, done } = await this.#call.next();
    if (done === true) throw new Error("the stream ended without End");
    if (value.event === undefined) throw new Error("a message without an event");
    return value.event;
  }
}

/** An interval, its messages put together. */
export type Interval = Pick<HistogramBatch, "groups" | "startTime" | "endTime" | "totals">;

/** How many latencies are counted in all of them. */
export function counted(groups: readonly GroupHistogram[]): bigint {
  return groups.reduce((sum, { histogram }) => sum + (histogram?.count ?? 0n), 0n);
}
