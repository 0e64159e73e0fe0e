import { LossStage, type End, type Loss, type Refusal, type Totals } from "@latscope/proto";

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

const kernelStages: readonly LossStage[] = [
  LossStage.KERNEL_RATE_LIMIT,
  LossStage.KERNEL_RING_FULL,
  LossStage.KERNEL_MAP_FULL,
];

/** The books as the end of a stream tells them. What the kernel side lost is in the session's totals, what this reader missed in its own. */
export function booksOf({ totals, sessionTotals }: Pick<End, "totals" | "sessionTotals">): Books {
  // A reader is told in its stream of what the kernel side loses, too: that is not to be counted twice.
  const own = lossesOf(totals).filter(({ stage }) => sessionTotals === undefined || !kernelStages.includes(stage));
  return {
    measured: sessionTotals?.measured,
    delivered: totals?.delivered ?? 0n,
    filtered: totals?.filtered ?? 0n,
    aggregatedOnly: sessionTotals?.aggregatedOnly ?? 0n,
    losses: [...lossesOf(sessionTotals), ...own],
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
