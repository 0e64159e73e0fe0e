import {
  EndReason,
  SessionSpec,
  StreamHistogramsRequest,
  type End,
  type GroupBy,
  type GroupHistogram,
  type SampleServiceClient,
  type SessionSpec as SpecMessage,
  type Totals,
} from "@latscope/proto";
import { failures } from "./ending.js";
import type { Input } from "./input.js";
import { messages } from "./messages.js";
import { nanoseconds } from "./sample.js";

/** Whose histograms to read, and how. */
export type HistogramOptions = Source & {
  /** Ends the iteration, which then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Length of an interval in milliseconds, 100 to a day's; default: 1000. */
  readonly intervalMs?: number;
  /** All since the session began, instead of what happened in the interval. */
  readonly cumulative?: boolean;
  /** The largest, in each interval; the rest is `other`. Default: 1000. */
  readonly maxGroups?: number;
  /** Why there is no more, with the books of this stream and of the session. */
  readonly onEnd?: (end: End) => void;
};

/** A session that exists, told apart by a part of its own keys (default: by all of them), or a spec for one that ends with the iteration. */
type Source =
  | {
      /** "sessions/{id}" */
      readonly session: string;
      readonly groupBy?: readonly GroupBy[];
      /** By metric and probe alone; not together with `groupBy`. */
      readonly ungrouped?: boolean;
      readonly spec?: never;
    }
  | {
      readonly spec: Input<SpecMessage>;
      readonly session?: never;
      readonly groupBy?: never;
      readonly ungrouped?: never;
    };

/** What was counted from one moment to another, both in nanoseconds since 1970. */
export interface Interval {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** By count, descending, `other` last; empty when nothing happened. */
  readonly groups: readonly GroupHistogram[];
  /** The session's books for the same time. */
  readonly totals: Totals | undefined;
}

/**
 * The histograms of one session, an interval at a time.
 *
 * It throws what the call failed with (`ServiceError`), also when the connection breaks: what was counted meanwhile would be missing.
 */
export async function* intervals(
  client: SampleServiceClient,
  options: HistogramOptions,
): AsyncGenerator<Interval, void, undefined> {
  const { signal, onEnd } = options;
  signal?.throwIfAborted();
  let groups: GroupHistogram[] = [];
  try {
    for await (const { event } of messages(client.streamHistograms(requestOf(options)), signal)) {
      if (event?.$case === "end") {
        onEnd?.(event.value);
        const { reason } = event.value;
        if (failures.has(reason) || reason === EndReason.DRAINING)
          throw new Error(`the stream of histograms ended: ${EndReason[reason]}`);
      }
      if (event?.$case !== "batch") continue;
      const { startTime, endTime, totals, more } = event.value;
      groups.push(...event.value.groups);
      if (more) continue;
      yield { startNs: nanoseconds(startTime), endNs: nanoseconds(endTime), groups, totals };
      groups = [];
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function requestOf(options: HistogramOptions): StreamHistogramsRequest {
  const request = StreamHistogramsRequest.fromPartial({
    cumulative: options.cumulative ?? false,
    maxGroups: options.maxGroups ?? 0,
    groupBy: [...(options.groupBy ?? [])],
    ungrouped: options.ungrouped ?? false,
  });
  const { intervalMs } = options;
  if (intervalMs !== undefined) {
    const ns = BigInt(Math.round(intervalMs * 1e6));
    request.interval = { seconds: ns / 1_000_000_000n, nanos: Number(ns % 1_000_000_000n) };
  }
  request.source =
    options.spec === undefined
      ? { $case: "session", value: options.session }
      : { $case: "spec", value: SessionSpec.fromJSON(options.spec) };
  return request;
}
