import type { Histogram } from "@latscope/proto";

/** The buckets of a histogram from its offset on, for those who want every latency in one: what overflowed is where its greatest is. */
export function placedCounts({ scale, offset, counts, overflowCount, maxNs }: Histogram): readonly bigint[] {
  if (overflowCount === 0n) return counts;
  // Bucket i ends at 2^((i + 1) / 2^scale), and it is above the last one in any case.
  const greatest = Math.ceil(Math.log2(Number(maxNs ?? 1n)) * 2 ** scale) - 1;
  const placed = [...counts];
  const at = Math.max(greatest - offset, counts.length);
  while (placed.length < at) placed.push(0n);
  placed.push(overflowCount);
  return placed;
}
