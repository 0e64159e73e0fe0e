import { LossStage, type End, type Loss, type Refusal, type Totals } from "@latscope/proto";
import { lossPart, refusalPart } from "../format/loss.js";

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

/** The books of a session by itself, whoever reads it. */
export function booksOfSession(totals: Totals | undefined): Books {
  return { ...booksOf({ totals: undefined, sessionTotals: totals }), delivered: totals?.delivered ?? 0n };
}

/** `1963 measured, 1963 delivered, 0 lost; 17 not reported because ambiguous (12 retransmitted, 5 reordered)` */
export function booksLine(books: Books): string {
  const { delivered, filtered, aggregatedOnly } = books;
  const parts = [`${delivered} delivered`];
  if (filtered > 0n) parts.push(`${filtered} filtered out`);
  if (aggregatedOnly > 0n) parts.push(`${aggregatedOnly} in histograms only`);
  return line(books, parts);
}

/** `1963 measured, 1963 in these histograms, 0 lost; 0 not reported because ambiguous` */
export function countsLine(books: Books): string {
  return line(books, [`${books.delivered} in these histograms`]);
}

function line({ measured, losses, refusals }: Books, became: readonly string[]): string {
  const parts = [...became, `${lost(losses)} lost${inBrackets(losses.map(lossPart))}`];
  if (measured === undefined) return `${parts.join(", ")}; the service's own totals did not come`;
  const refused = refusals.reduce((sum, { count }) => sum + count, 0n);
  const ambiguous = `${refused} not reported because ambiguous${inBrackets(refusals.map(refusalPart))}`;
  return `${measured} measured, ${parts.join(", ")}; ${ambiguous}`;
}

function inBrackets(parts: readonly string[]): string {
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

/** How many samples were lost, over all stages. */
export function lost(losses: readonly Loss[]): bigint {
  return losses.reduce((sum, { count }) => sum + count, 0n);
}

function lossesOf(totals: Totals | undefined): Loss[] {
  return (totals?.losses ?? []).filter(({ count }) => count > 0n);
}
