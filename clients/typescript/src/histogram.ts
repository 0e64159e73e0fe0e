import type { Histogram } from "@latscope/proto";

const MOST = 2n ** 64n - 1n;

/**
 * What two histograms count together, bucket by bucket; of unequal scales the finer is brought down to the coarser. The least and
 * the greatest are known where they are known of both.
 */
export function sumOf(one: Histogram, other: Histogram): Histogram {
  if (one.count === 0n) return other;
  if (other.count === 0n) return one;
  const scale = Math.min(one.scale, other.scale);
  const buckets = new Map<number, bigint>();
  for (const { offset, counts, scale: own } of [one, other]) {
    for (const [at, count] of counts.entries()) {
      if (count === 0n) continue;
      const index = (offset + at) >> (own - scale);
      buckets.set(index, (buckets.get(index) ?? 0n) + count);
    }
  }
  const indexes = [...buckets.keys()];
  const offset = indexes.length === 0 ? 0 : Math.min(...indexes);
  const length = indexes.length === 0 ? 0 : Math.max(...indexes) - offset + 1;
  const sumNs = one.sumNs + other.sumNs;
  return {
    scale,
    offset,
    counts: Array.from({ length }, (_, at) => buckets.get(offset + at) ?? 0n),
    zeroCount: one.zeroCount + other.zeroCount,
    overflowCount: one.overflowCount + other.overflowCount,
    count: one.count + other.count,
    sumNs: sumNs > MOST ? MOST : sumNs,
    minNs: ofBoth(one.minNs, other.minNs, (a, b) => (a < b ? a : b)),
    maxNs: ofBoth(one.maxNs, other.maxNs, (a, b) => (a > b ? a : b)),
  };
}

/**
 * A latency in nanoseconds that the part `q` (0 to 1) of all do not exceed, as GetSnapshot tells it: the upper bound of a bucket,
 * never outside the least and the greatest. Undefined where nothing is counted, and where it is above the last bucket and the
 * greatest is not known.
 */
export function quantileOf(histogram: Histogram, q: number): bigint | undefined {
  const { count, scale, offset, counts, zeroCount, minNs, maxNs } = histogram;
  if (count === 0n) return undefined;
  const rank = BigInt(Math.max(1, Math.ceil(Math.min(Math.max(q, 0), 1) * Number(count))));
  let below = zeroCount;
  if (rank <= below) return 0n;
  for (const [at, bucket] of counts.entries()) {
    below += bucket;
    if (rank > below) continue;
    const bound = largest(scale, offset + at);
    if (minNs !== undefined && bound < minNs) return minNs;
    return maxNs !== undefined && bound > maxNs ? maxNs : bound;
  }
  return maxNs;
}

/** The largest whole number that a bucket counts. */
function largest(scale: number, index: number): bigint {
  const exponent = (index + 1) / 2 ** scale;
  return exponent >= 64 ? MOST : BigInt(Math.floor(2 ** exponent));
}

function ofBoth<T>(one: T | undefined, other: T | undefined, choose: (one: T, other: T) => T): T | undefined {
  return one === undefined || other === undefined ? undefined : choose(one, other);
}
