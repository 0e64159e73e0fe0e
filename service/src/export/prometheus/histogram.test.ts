import { Histogram as Measured } from "@latscope/proto";
import { expect, it } from "vitest";
import { toPrometheus } from "./histogram.js";

const measured = (given: Partial<Measured>): Measured => Measured.fromPartial({ scale: 3, ...given });

/** The native buckets with what they count: upper bounds in seconds. */
function native(histogram: ReturnType<typeof toPrometheus>): [upper: number, count: bigint][] {
  const buckets: [number, bigint][] = [];
  let index = 0;
  let count = 0n;
  let at = 0;
  for (const { offset = 0, length = 0 } of histogram.positiveSpan) {
    index += offset;
    for (let step = 0; step < length; step += 1) {
      count += histogram.positiveDelta[at] ?? 0n;
      at += 1;
      buckets.push([2 ** (index / 8), count]);
      index += 1;
    }
  }
  return buckets;
}

it("has exact classic buckets between powers of two of nanoseconds", () => {
  // The bucket 79 ends at 1024 ns, 87 at 2048 ns.
  const { bucket, sampleCount, sampleSum } = toPrometheus(
    measured({
      offset: 78,
      counts: [1n, 2n, 4n, 0n, 0n, 0n, 0n, 0n, 0n, 8n, 16n],
      count: 33n,
      zeroCount: 2n,
      sumNs: 50_000n,
    }),
  );
  expect(bucket.slice(0, 3)).toEqual([
    expect.objectContaining({ upperBound: 1.024e-6, cumulativeCount: 5n }),
    expect.objectContaining({ upperBound: 2.048e-6, cumulativeCount: 17n }),
    expect.objectContaining({ upperBound: 4.096e-6, cumulativeCount: 33n }),
  ]);
  expect(bucket).toHaveLength(27);
  expect(bucket.at(-1)).toMatchObject({ upperBound: 68.719476736, cumulativeCount: 33n });
  expect([sampleCount, sampleSum]).toEqual([33n, 5e-5]);
});

it("has native buckets whose upper bounds are at most 1.6 % above those that were measured", () => {
  const offset = 80;
  const counts = [5n, 0n, 3n, 4n, 0n, 0n, 1n];
  const histogram = toPrometheus(measured({ offset, counts, count: 14n, zeroCount: 1n }));
  const own = counts.flatMap((count, at) =>
    count === 0n ? [] : [[2 ** ((offset + at + 1) / 8) / 1e9, count] as const],
  );
  const buckets = native(histogram);
  expect(buckets.map(([, count]) => count)).toEqual(own.map(([, count]) => count));
  for (const [at, [upper]] of buckets.entries()) {
    const ratio = upper / (own[at]?.[0] ?? 0);
    expect(ratio).toBeGreaterThanOrEqual(1);
    expect(ratio).toBeLessThan(1.016);
  }
  expect(histogram).toMatchObject({ schema: 3, zeroCount: 1n, sampleCount: 14n });
});

it("counts what is above the last bucket where its greatest is", () => {
  const maxNs = 5_000_000_000n;
  const histogram = toPrometheus(measured({ offset: 80, counts: [2n], count: 5n, overflowCount: 3n, maxNs }));
  const buckets = native(histogram);
  expect(buckets.map(([, count]) => count)).toEqual([2n, 3n]);
  const upper = buckets[1]?.[0];
  expect(upper).toBeGreaterThanOrEqual(5);
  expect(upper).toBeLessThan(5 * 1.12);
});

it("is a native histogram also while it is empty", () => {
  expect(toPrometheus(measured({}))).toMatchObject({ positiveSpan: [{ offset: 0, length: 0 }], positiveDelta: [] });
});
