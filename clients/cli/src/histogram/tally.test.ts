import { Metric, type GroupHistogram } from "@latscope/proto";
import { expect, test } from "vitest";
import { groupOf } from "../testing/histograms.js";
import { Tally } from "./tally.js";

const other: GroupHistogram = {
  ...groupOf("", [9n]),
  group: { metric: Metric.TCP_RTT, keys: {}, other: true, probe: 0 },
};

function of(whole: boolean, ...intervals: GroupHistogram[][]): Tally {
  const tally = new Tally(whole);
  for (const interval of intervals) tally.add(interval);
  return tally;
}

test("adds up by group, the largest first, what is beyond them last", () => {
  const tally = of(true, [groupOf("53", [2n]), other], [groupOf("443", [1n, 4n]), groupOf("53", [0n, 1n])]);
  expect(tally.groups.map(({ group, histogram }) => [group?.keys["server_port"], histogram?.counts])).toEqual([
    ["443", [1n, 4n]],
    ["53", [2n, 1n]],
    [undefined, [9n]],
  ]);
});

const intervals = [
  [groupOf("443", [1n], { minNs: 1_100_000n, maxNs: 1_130_000n })],
  [groupOf("443", [1n])],
  [groupOf("443", [1n], { minNs: 1_090_000n })],
];

test("since their session began, the extremes that were known last are those of all", () => {
  const [{ histogram } = {}] = of(true, ...intervals).groups;
  expect(histogram).toMatchObject({ count: 3n, minNs: 1_090_000n, maxNs: 1_130_000n });
});

test("of intervals before which there was something, and of groups that may have been elsewhere, they are not", () => {
  for (const tally of [of(false, ...intervals), of(true, ...intervals, [other])]) {
    expect(tally.groups[0]?.histogram).toMatchObject({ count: 3n, minNs: undefined, maxNs: undefined });
  }
});
