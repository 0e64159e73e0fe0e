import { expect, test } from "vitest";
import { accountLine } from "./account.js";

const nothing = { bytes_read: 24, bytes: 24, packets: 0, span_ns: 0, measured: 0, refusals: {}, unparsed: {} };

test("an empty capture", () => {
  expect(accountLine(nothing)).toBe(
    "0 packets in 0.000 ms, 0 measured, 0 not reported because ambiguous, 0 packets not parsed",
  );
});

test("reasons, the most frequent first; hostile text", () => {
  const account = {
    ...nothing,
    packets: 2000,
    span_ns: 14_151_441_000,
    measured: 990,
    refusals: { 1: 4, 3: 15 },
    unparsed: { "cut short or malformed": 1, "link type \x1b": 2 },
  };
  expect(accountLine(account)).toBe(
    "2000 packets in 14.15 s, 990 measured, 19 not reported because ambiguous (15 duplicate ACK, 4 retransmitted), " +
      "3 packets not parsed (2 link type \\x1b, 1 cut short or malformed)",
  );
});
