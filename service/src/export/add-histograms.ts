import { Histogram } from "@latscope/proto";

/** The sum of two histograms, at the coarser scale of both. */
export function addHistograms(one: Histogram, other: Histogram): Histogram {
  const scale = Math.min(one.scale, other.scale);
  const [a, b] = [coarser(one, scale), coarser(other, scale)];
  const filled = [a, b].filter(({ counts }) => counts.length > 0);
  const offset = Math.min(...filled.map(({ offset }) => offset));
  const end = Math.max(...filled.map(({ offset, counts }) => offset + counts.length));
  const counts = Array.from({ length: filled.length === 0 ? 0 : end - offset }, () => 0n);
  for (const part of filled) {
    for (const [at, count] of part.counts.entries()) {
      const index = part.offset + at - offset;
      counts[index] = (counts[index] ?? 0n) + count;
    }
  }
  return Histogram.fromPartial({
    scale,
    offset: filled.length === 0 ? 0 : offset,
    counts,
    zeroCount: a.zeroCount + b.zeroCount,
    overflowCount: a.overflowCount + b.overflowCount,
    count: a.count + b.count,
    sumNs: a.sumNs + b.sumNs,
    minNs: extreme(a.minNs, b.minNs, (x, y) => (x < y ? x : y)),
    maxNs: extreme(a.maxNs, b.maxNs, (x, y) => (x > y ? x : y)),
  });
}

function coarser(histogram: Histogram, scale: number): Histogram {
  const factor = 2 ** (histogram.scale - scale);
  if (factor === 1 || histogram.counts.length === 0) return histogram;
  const offset = Math.floor(histogram.offset / factor);
  const counts: bigint[] = [];
  for (const [at, count] of histogram.counts.entries()) {
    const index = Math.floor((histogram.offset + at) / factor) - offset;
    counts[index] = (counts[index] ?? 0n) + count;
  }
  return { ...histogram, scale, offset, counts };
}

function extreme(one: bigint | undefined, other: bigint | undefined, choose: (x: bigint, y: bigint) => bigint) {
  if (one === undefined || other === undefined) return one ?? other;
  return choose(one, other);
}
