import { status as codes } from "@grpc/grpc-js";
import type { CallRecord } from "../rpc/caller.js";

/** What a line tells: `open` that a stream has begun, `call` that a call has ended, a stream's too. */
export type AuditEvent = "open" | "call";

// A stranger chooses some of the texts.
const longest = 256;

/** What is known of a call as one line of JSON. The same keys always, so that a line can be searched by any of them. */
export function auditLine(event: AuditEvent, record: CallRecord, now: number): string {
  const { startedAt, principal = "", peer, method, session = "", decision = "", rule = "", reason = "" } = record;
  const { status, durationMs = now - startedAt } = record;
  const line = {
    time: new Date(now).toISOString(),
    event,
    principal: shorten(principal),
    peer: shorten(peer),
    method: shorten(method.replace(/^\//, "")),
    session: shorten(session),
    decision,
    rule: shorten(rule),
    reason: shorten(reason),
    duration_ms: durationMs,
    status: status === undefined ? "" : (codes[status] ?? String(status)),
  };
  return `${JSON.stringify(line)}\n`;
}

/** Lines that are not there, and when they would have been written, in milliseconds since 1970. */
export interface Missing {
  count: number;
  from: number;
  to: number;
}

/** A line that stands for others: `lost` where they found no room, `strangers` where calls without a credential came too fast. */
export function summaryLine(event: "lost" | "strangers", { count, from, to }: Missing): string {
  const at = (time: number): string => new Date(time).toISOString();
  return `${JSON.stringify({ time: at(to), event, count, from: at(from), to: at(to) })}\n`;
}

function shorten(text: string): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}
