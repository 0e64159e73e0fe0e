import type { Totals } from "@latscope/proto";
import { expect } from "vitest";

/** All losses together. */
export function lostOf({ losses }: Totals): bigint {
  return losses.reduce((sum, { count }) => sum + count, 0n);
}

/** The session's equation of loss.proto, which holds at every moment. */
export function expectBalanced(totals: Totals | undefined): void {
  if (totals === undefined) throw new Error("no books");
  expect(totals.measured).toBe(totals.delivered + totals.aggregatedOnly + totals.inFlight + lostOf(totals));
}
