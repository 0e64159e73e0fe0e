import type { SessionSpec } from "@latscope/proto";
import { Failure } from "../failure/failure.js";

/** How many bytes of samples sessions keep: each by default and at most, and all of them together. */
export interface HistoryBounds {
  each: bigint;
  most: bigint;
  total: bigint;
}

/** What a session will keep at most: as the collector clamps it. */
function kept({ limits }: SessionSpec, { each, most }: HistoryBounds): bigint {
  const asked = limits?.historyBytes ?? each;
  return asked < most ? asked : most;
}

/** @throws Failure HISTORY_LIMIT when there is no room for a session's history beside the others' */
export function checkHistory(session: SessionSpec, others: Iterable<SessionSpec>, bounds: HistoryBounds): void {
  let sum = kept(session, bounds);
  for (const other of others) sum += kept(other, bounds);
  if (sum <= bounds.total) return;
  const description = `sessions may keep ${bounds.total} bytes of samples together, and would keep ${sum}; ask for less in limits.history_bytes, or delete a session`;
  throw Failure.of("HISTORY_LIMIT", description, { quota: [{ subject: "history_bytes", description }] });
}
