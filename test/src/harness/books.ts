import type { Totals } from "@latscope/proto";
import { expect } from "vitest";

/** The session's equation of loss.proto, which holds at every moment. */
export function expectBalanced(totals: Totals | undefined): void {
  if (totals === undefined) throw new Error("no books");
  const lost = totals.losses.reduce((sum, { count }) => sum + count, 0n);
  expect(totals.measured).toBe(totals.delivered + totals.aggregatedOnly + totals.inFlight + lost);
}
