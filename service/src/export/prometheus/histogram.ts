import type { Histogram as Measured } from "@latscope/proto";
import { Histogram, type BucketSpan } from "@latscope/proto/io/prometheus/client";
import { placedCounts } from "../overflow.js";

const nsPerSecond = 1e9;

// Powers of two of nanoseconds, which are bounds of ours too: from a microsecond to a minute.
const firstBoundLog2 = 10;
const lastBoundLog2 = 36;

// Prometheus counts in seconds, and a second is no power of two of nanoseconds: log2(1e9) is 29.897.
const secondLog2 = Math.log2(nsPerSecond);

/**
 * What was measured, for Prometheus: the classic buckets are exact, their bounds powers of two of nanoseconds. The native ones are
 * ours under the next upper bound that Prometheus has, which at scale 3 is 1.6 % higher.
 */
export function toPrometheus(measured: Measured): Histogram {
  const { count, sumNs, zeroCount } = measured;
  const { spans, deltas } = native(measured);
  return Histogram.fromPartial({
    sampleCount: count,
    sampleSum: Number(sumNs) / nsPerSecond,
    bucket: classic(measured),
    schema: measured.scale,
    zeroCount,
    zeroThreshold: 0,
    positiveSpan: spans,
    positiveDelta: deltas,
  });
}

/** Cumulative, without +Inf, which is the count. */
function classic({ scale, offset, counts, zeroCount }: Measured): { cumulativeCount: bigint; upperBound: number }[] {
  const buckets = [];
  let sum = zeroCount;
  let at = 0;
  for (let log2 = firstBoundLog2; log2 <= lastBoundLog2; log2 += 1) {
    // Bucket i ends at 2^((i + 1) / 2^scale).
    const end = Math.floor(log2 * 2 ** scale) - offset;
    for (; at < Math.min(end, counts.length); at += 1) sum += counts[at] ?? 0n;
    buckets.push({ cumulativeCount: sum, upperBound: 2 ** log2 / nsPerSecond });
  }
  return buckets;
}

function native(measured: Measured): { spans: BucketSpan[]; deltas: bigint[] } {
  const { scale, offset } = measured;
  const all = [...placedCounts(measured).entries()].filter(([, count]) => count > 0n);
  // A span of no length says that it is a native histogram also while it is empty.
  const spans: BucketSpan[] = all.length === 0 ? [{ offset: 0, length: 0 }] : [];
  const deltas: bigint[] = [];
  let next: number | undefined;
  let before = 0n;
  for (const [at, count] of all) {
    const bucket = Math.ceil(offset + at + 1 - secondLog2 * 2 ** scale);
    const last = spans.at(-1);
    if (next === bucket && last !== undefined) last.length = (last.length ?? 0) + 1;
    else spans.push({ offset: bucket - (next ?? 0), length: 1 });
    deltas.push(count - before);
    before = count;
    next = bucket + 1;
  }
  return { spans, deltas };
}
