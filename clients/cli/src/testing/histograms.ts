import {
  Histogram,
  HistogramBatch,
  LossStage,
  Metric,
  StreamHistogramsResponse,
  type EndReason,
  type GroupHistogram,
} from "@latscope/proto";

type Partial = Parameters<typeof StreamHistogramsResponse.fromPartial>[0];

/** A message of the stream of sessions/s-7f3a. */
export function histogramMessage(event: Partial["event"]): StreamHistogramsResponse {
  return StreamHistogramsResponse.fromPartial({ node: "nodes/test", session: "sessions/s-7f3a", event });
}

/** Round trips to a port, counted in buckets of scale 3 from 1.048576 ms on: up to 1.143, 1.247, 1.360, 1.483 ms. */
export function groupOf(port: string, counts: bigint[], more: Parameters<typeof Histogram.fromPartial>[0] = {}) {
  const count = counts.reduce((sum, each) => sum + each, 0n);
  const histogram = Histogram.fromPartial({ scale: 3, offset: 160, counts, count, ...more });
  const group = { metric: Metric.TCP_RTT, keys: { server_port: port }, other: false, probe: 0 };
  return { group, histogram } satisfies GroupHistogram;
}

/** One second from 22:13:20 on, or more. */
export function batch(groups: readonly GroupHistogram[], from = 0n, to = from + 1n, more = false) {
  const start = 1_700_000_000n;
  const value = HistogramBatch.fromPartial({
    startTime: { seconds: start + from, nanos: 0 },
    endTime: { seconds: start + to, nanos: 0 },
    more,
  });
  return histogramMessage({ $case: "batch", value: { ...value, groups: [...groups] } });
}

/** What such a stream ends with. */
export function histogramEnd(reason: EndReason, delivered: bigint, measured = delivered): StreamHistogramsResponse {
  return histogramMessage({
    $case: "end",
    value: {
      reason,
      totals: { delivered },
      sessionTotals: {
        measured,
        aggregatedOnly: delivered,
        losses: [{ stage: LossStage.KERNEL_MAP_FULL, count: measured - delivered }],
      },
    },
  });
}
