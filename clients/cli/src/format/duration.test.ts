import { expect, test } from "vitest";
import { milliseconds, span } from "./duration.js";

test.each([
  [0n, "0.000"],
  [499n, "0.000"],
  [500n, "0.001"],
  [412_000n, "0.412"],
  [11_213_500n, "11.214"],
  [999_999_999n, "1000.000"],
  [9_007_199_254_740_993n, "9007199254.741"],
  [-1_500n, "-0.002"],
])("%d ns is %s ms", (ns, expected) => {
  expect(milliseconds(ns)).toBe(expected);
});

test.each([
  [12_000_000n, "12.000 ms"],
  [3_250_000_000n, "3.25 s"],
  [60_000_000_000n, "1m 0s"],
  [7_500_000_000_000n, "2h 5m"],
  [90_061_000_000_000n, "1d 1h"],
])("%d ns is %s", (ns, expected) => {
  expect(span(ns)).toBe(expected);
});
