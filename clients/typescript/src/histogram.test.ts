import { Histogram } from "@latscope/proto";
import { describe, expect, test } from "vitest";
import { quantileOf, sumOf } from "./index.js";

const empty = Histogram.fromPartial({ scale: 3 });

/** Buckets of scale 0: (2^i, 2^(i+1)]. */
function coarse(offset: number, ...counts: bigint[]): Histogram {
  const count = counts.reduce((sum, each) => sum + each, 0n);
  return Histogram.fromPartial({ scale: 0, offset, counts, count });
}

describe("the sum of two histograms", () => {
  test("adds bucket by bucket, and knows least and greatest where both do", () => {
    const one = { ...coarse(2, 1n, 2n), sumNs: 25n, minNs: 5n, maxNs: 12n };
    const other = { ...coarse(4, 4n), zeroCount: 1n, overflowCount: 1n, count: 6n, sumNs: 100n, minNs: 0n };
    expect(sumOf(one, other)).toEqual({
      scale: 0,
      offset: 2,
      counts: [1n, 2n, 4n],
      zeroCount: 1n,
      overflowCount: 1n,
      count: 9n,
      sumNs: 125n,
      minNs: 0n,
      maxNs: undefined,
    });
  });

  test("brings the finer down", () => {
    // Of scale 1, buckets -1 and 0 are (0.7, 1] and (1, 1.4]; 3 is (2.8, 4].
    const fine = Histogram.fromPartial({ scale: 1, offset: -1, counts: [1n, 2n, 0n, 0n, 4n], count: 7n });
    expect(sumOf(fine, coarse(1, 8n))).toMatchObject({ scale: 0, offset: -1, counts: [1n, 2n, 12n], count: 15n });
  });

  test("with nothing is the other, and a sum that is full stays so", () => {
    const one = { ...coarse(2, 1n), minNs: 5n };
    expect(sumOf(empty, one)).toEqual(one);
    expect(sumOf(one, empty)).toEqual(one);
    const full = { ...one, sumNs: 2n ** 64n - 1n };
    expect(sumOf(full, { ...one, sumNs: 1n }).sumNs).toBe(2n ** 64n - 1n);
  });
});

describe("a quantile", () => {
  test("is the bound of the bucket of its rank, within least and greatest", () => {
    const histogram = { ...coarse(2, 5n, 4n, 1n), zeroCount: 10n, count: 20n };
    expect([0, 0.5, 0.51, 0.75, 0.76, 0.95, 0.951, 1].map((q) => quantileOf(histogram, q))).toEqual([
      0n,
      0n,
      8n,
      8n,
      16n,
      16n,
      32n,
      32n,
    ]);
    const known = { ...coarse(2, 5n, 4n, 1n), minNs: 6n, maxNs: 19n };
    expect([0, 1].map((q) => quantileOf(known, q))).toEqual([8n, 19n]);
    expect(quantileOf({ ...coarse(2, 5n), minNs: 5n, maxNs: 7n }, 0.5)).toBe(7n);
  });

  test("of nothing, and above the last bucket", () => {
    expect(quantileOf(empty, 0.5)).toBeUndefined();
    const above = { ...coarse(2, 1n), overflowCount: 1n, count: 2n };
    expect([0.5, 0.6].map((q) => quantileOf(above, q))).toEqual([8n, undefined]);
    expect(quantileOf({ ...above, maxNs: 2n ** 50n }, 0.6)).toBe(2n ** 50n);
  });

  test("every bucket up to 2^40 ns ends where its bound says, exactly", () => {
    for (let index = 0; index < 320; index += 1) {
      const bound =
        quantileOf(Histogram.fromPartial({ scale: 3, offset: index, counts: [1n], count: 1n }), 1) ?? expect.fail();
      // bound <= 2^((index + 1) / 8) < bound + 1
      const power = 2n ** BigInt(index + 1);
      expect(bound ** 8n <= power && power < (bound + 1n) ** 8n).toBe(true);
    }
  });
});
