import type { End, Loss, Refusal, Totals } from "@latscope/proto";

/** What became of every latency, as far as this reader is concerned. */
export interface Books {
  /** Unknown when the service did not get to tell. */
  measured: bigint | undefined;
  delivered: bigint;
  filtered: bigint;
  aggregatedOnly: bigint;
  losses: readonly Loss[];
  refusals: readonly Refusal[];
}

/** The books as the end of a stream tells them: what the kernel side lost is in the session's, what this reader missed in its own. */
export function booksOf({ totals, sessionTotals }: Pick<End, "totals" | "sessionTotals">): Books {
  return {
    measured: sessionTotals?.measured,
    delivered: totals?.delivered ?? 0n,
    filtered: totals?.filtered ?? 0n,
    aggregatedOnly: sessionTotals?.aggregatedOnly ?? 0n,
    losses: [...lossesOf(sessionTotals), ...lossesOf(totals)],
    refusals: (sessionTotals?.refusals ?? []).filter(({ count }) => count > 0n),
  };
}

/** How many samples were lost, over all stages. */
export function lost(losses: readonly Loss[]): bigint {
  return losses.reduce((sum, { count }) => sum + count, 0n);
}

function lossesOf(totals: Totals | undefined): Loss[] {
  return (totals?.losses ?? []).filter(({ count }) => count > 0n);
}
