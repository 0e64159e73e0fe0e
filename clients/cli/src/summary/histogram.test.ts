import { expect, test } from "vitest";
import { Histogram } from "./histogram.js";

function of(...values: bigint[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

test("empty", () => {
  const { count, min, max } = new Histogram();
  expect([count, min, max, new Histogram().quantile(0.5)]).toEqual([0, 0n, 0n, 0n]);
});

test("count, minimum and maximum are exact", () => {
  const histogram = of(9_007_199_254_740_993n, 0n, 7n);
  expect([histogram.count, histogram.min, histogram.max]).toEqual([3, 0n, 9_007_199_254_740_993n]);
});

test("one value is every quantile, exactly", () => {
  const histogram = of(11_214_001n);
  expect([0, 0.5, 0.99, 1].map((q) => histogram.quantile(q))).toEqual([
    11_214_001n,
    11_214_001n,
    11_214_001n,
    11_214_001n,
  ]);
});

test.each([0.01, 0.25, 0.5, 0.9, 0.99, 0.999])(
  "quantile %d of 1 to 100000 us is within 0.28 %% of the sorted one",
  (q) => {
    const histogram = new Histogram();
    for (let us = 100_000; us >= 1; us -= 1) histogram.add(BigInt(us) * 1000n);
    const exact = Math.ceil(q * 100_000) * 1000;
    expect(Math.abs(Number(histogram.quantile(q)) / exact - 1)).toBeLessThan(0.0028);
  },
);

test("the largest and the smallest values have a bucket", () => {
  const largest = 2n ** 63n - 1n;
  const histogram = of(0n, 1n, largest, largest);
  expect(histogram.quantile(0.25)).toBe(1n);
  expect(histogram.quantile(0.75)).toBe(largest);
});
