import { refusalReasonFromJSON } from "@latscope/proto";
import { span } from "../format/duration.js";
import { refusalPart } from "../format/loss.js";
import { printable } from "../format/text.js";

/** The books of a capture, as the addon writes them. */
export interface Account {
  bytes_read: number;
  /** 0 where the file has no length. */
  bytes: number;
  packets: number;
  /** Latest minus earliest time of the packets, nanoseconds. */
  span_ns: number;
  measured: number;
  /** By number of RefusalReason. */
  refusals: Readonly<Record<string, number>>;
  /** Packets, by reason in words. */
  unparsed: Readonly<Record<string, number>>;
}

/** `1942 packets in 14.15 s, 992 measured, 13 not reported because ambiguous (9 duplicate ACK, 4 retransmitted), 0 packets not parsed` */
export function accountLine({ packets, span_ns, measured, refusals, unparsed }: Account): string {
  const refused = largestFirst(refusals);
  const skipped = largestFirst(unparsed);
  const refusedParts = refused.map(([reason, count]) =>
    refusalPart({ reason: refusalReasonFromJSON(Number(reason)), count: BigInt(count) }),
  );
  const skippedParts = skipped.map(([reason, count]) => `${count} ${printable(reason)}`);
  return [
    `${packets} packets in ${span(BigInt(span_ns))}`,
    `${measured} measured`,
    `${sum(refused)} not reported because ambiguous${inBrackets(refusedParts)}`,
    `${sum(skipped)} packets not parsed${inBrackets(skippedParts)}`,
  ].join(", ");
}

function largestFirst(counts: Readonly<Record<string, number>>): [reason: string, count: number][] {
  return Object.entries(counts).sort(([, a], [, b]) => b - a);
}

function sum(counts: readonly [string, number][]): number {
  return counts.reduce((total, [, count]) => total + count, 0);
}

function inBrackets(parts: readonly string[]): string {
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}
