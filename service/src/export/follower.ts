import { StreamHistogramsRequest, StreamHistogramsResponse, type HistogramBatch } from "@latscope/proto";
import type { HistogramReaderHandle } from "../addon/types.js";
import { toFailure } from "../failure/answer.js";
import type { SessionRecord } from "../session/record.js";
import { duration } from "../session/time.js";
import { everyGroup } from "./bounded-groups.js";
import type { Exported } from "./exported.js";

/** What somebody does with the histograms of an interval. The next one is as long as that takes, if it takes longer. */
export type TakeInterval = (record: SessionRecord, interval: HistogramBatch) => Promise<void>;

export interface FollowerOptions {
  exported: Exported;
  /** What follows, for the log. */
  name: string;
  intervalMs: number;
  /** Whether each interval has everything since the session's start. */
  cumulative: boolean;
  take: TakeInterval;
}

/**
 * Reads the histograms of every session as long as it runs, whoever made it. A reader like any other, but for one thing: a session
 * that nobody else reads is idle all the same.
 */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #reading = new Map<SessionRecord, Promise<void>>();
  readonly #readers = new Set<HistogramReaderHandle>();
  readonly #unsubscribe: () => void;
  #closed = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
    const look = (): void => {
      this.#look();
    };
    this.#unsubscribe = options.exported.sessions.feed.subscribe(look);
    look();
  }

  /** Lets every session go, once what is under way was taken. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    for (const reader of this.#readers) reader.close();
    await Promise.all(this.#reading.values());
  }

  #look(): void {
    if (this.#closed) return;
    for (const record of this.#options.exported.sessions.all()) {
      if (!record.running || record.startedAt === undefined || this.#reading.has(record)) continue;
      const reading = this.#follow(record).finally(() => this.#reading.delete(record));
      this.#reading.set(record, reading);
    }
  }

  async #follow(record: SessionRecord): Promise<void> {
    const { exported, name, intervalMs } = this.#options;
    // Once more after each failure, an interval later.
    while (!this.#closed && record.running) {
      try {
        await this.#read(record);
        return;
      } catch (error) {
        if (toFailure(error)?.reason === "CLOSED") return;
        exported.log.error({ err: error, session: record.name }, `${name}: ${record.name} could not be read`);
        await new Promise((resolve) => setTimeout(resolve, intervalMs).unref());
      }
    }
  }

  async #read(record: SessionRecord): Promise<void> {
    const { exported, intervalMs, cumulative, take } = this.#options;
    if (record.handle === undefined) return;
    const request = StreamHistogramsRequest.fromPartial({
      source: { $case: "session", value: record.name },
      interval: duration(intervalMs),
      cumulative,
      maxGroups: everyGroup,
    });
    const bytes = Buffer.from(StreamHistogramsRequest.encode(request).finish());
    const reader = record.handle.histogramReader(bytes, {
      node: exported.node,
      session: record.name,
      scope: { principal: "" },
    });
    this.#readers.add(reader);
    try {
      let groups: HistogramBatch["groups"] = [];
      for (let message = await reader.next(); message !== null; message = await reader.next()) {
        const { event } = StreamHistogramsResponse.decode(message);
        if (event?.$case !== "batch") continue;
        groups = groups.concat(event.value.groups);
        if (event.value.more) continue;
        await take(record, { ...event.value, groups });
        groups = [];
      }
    } finally {
      this.#readers.delete(reader);
      reader.close();
    }
  }
}
