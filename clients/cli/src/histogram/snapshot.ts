import type { GetSnapshotResponse, GroupSummary } from "@latscope/proto";
import { span } from "../format/duration.js";
import { table } from "../format/table.js";
import { Clock, nanoseconds } from "../format/time.js";
import { booksLine, booksOfSession } from "../summary/books.js";
import { groupColumns } from "./groups.js";
import { inMilliseconds } from "./table.js";

/** A row for each group, latencies in milliseconds, then what they are of, and the session's books. */
export function snapshotLines({ groups, startTime, endTime, stats, totalGroups }: GetSnapshotResponse): string[] {
  const clock = new Clock();
  const [start, end] = [nanoseconds(startTime), nanoseconds(endTime)] as const;
  const number = totalGroups === groups.length ? totalGroups.toString() : `${groups.length} of ${totalGroups}`;
  const lines = groups.length === 0 ? [] : summaries(groups);
  return [
    ...lines,
    `${number} ${totalGroups === 1 ? "group" : "groups"} of ${clock.timeOfDay(start)} to ${clock.timeOfDay(end)} (${span(end - start)})`,
    `since it began: ${booksLine(booksOfSession(stats?.totals))}`,
  ];
}

function summaries(groups: readonly GroupSummary[]): string[] {
  const columns = groupColumns(groups.map(({ group }) => group));
  // One that is above the last bucket is missing in its group.
  const quantiles = [...new Set(groups.flatMap((group) => group.quantiles.map(({ quantile }) => quantile)))];
  quantiles.sort((a, b) => a - b);
  const numbers = ["count", "min", "mean", ...quantiles.map(quantileName), "max"];
  const rows = groups.map((summary) => [
    ...columns.cells(summary.group),
    summary.count.toString(),
    cell(summary.minSeconds),
    cell(summary.meanSeconds),
    ...quantiles.map((q) => cell(summary.quantiles.find(({ quantile }) => quantile === q)?.latencySeconds)),
    cell(summary.maxSeconds),
  ]);
  const align = [...columns.align, ...numbers.map(() => "right" as const)];
  const [first = "", ...rest] = table([[...columns.header, ...numbers], ...rows], align);
  return [first, ...rest.map((line) => `${line} ms`)];
}

/** `p99.9` */
function quantileName(quantile: number): string {
  return `p${Number((quantile * 100).toPrecision(12))}`;
}

function cell(seconds: number | undefined): string {
  return inMilliseconds(seconds === undefined ? undefined : BigInt(Math.round(seconds * 1e9)));
}
