import { quantileOf } from "@latscope/client";
import type { GroupHistogram, Histogram } from "@latscope/proto";
import { milliseconds } from "../format/duration.js";
import { table } from "../format/table.js";
import { groupColumns } from "./groups.js";

const quantiles = [0.5, 0.9, 0.99];
const numbers = ["count", "min", "p50", "p90", "p99", "max"];

/** A row for each group, latencies in milliseconds: `rtt  443  1922  0.212  11.240  12.101  29.377  88.132 ms`. */
export function histogramTable(groups: readonly GroupHistogram[]): string[] {
  const columns = groupColumns(groups.map(({ group }) => group));
  const rows = groups.map(({ group, histogram }) => [
    ...columns.cells(group),
    ...(histogram === undefined ? [] : figures(histogram)),
  ]);
  const align = [...columns.align, ...numbers.map(() => "right" as const)];
  const [first = "", ...rest] = table([[...columns.header, ...numbers], ...rows], align);
  return [first, ...rest.map((line) => `${line} ms`)];
}

function figures(histogram: Histogram): string[] {
  const { count, minNs, maxNs } = histogram;
  return [
    count.toString(),
    extreme(minNs, quantileOf(histogram, 0)),
    ...quantiles.map((q) => inMilliseconds(quantileOf(histogram, q))),
    extreme(maxNs, quantileOf(histogram, 1)),
  ];
}

// Of an interval least and greatest are known only where they are those of the whole session: else by their bucket.
function extreme(known: bigint | undefined, bucket: bigint | undefined): string {
  return known === undefined && bucket !== undefined ? `~${milliseconds(bucket)}` : inMilliseconds(known);
}

/** `11.214`; `-` where it is not known. */
export function inMilliseconds(ns: bigint | undefined): string {
  return ns === undefined ? "-" : milliseconds(ns);
}
