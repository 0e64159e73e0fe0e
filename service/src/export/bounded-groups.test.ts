import { GroupHistogram, Metric } from "@latscope/proto";
import { expect, it } from "vitest";
import { BoundedGroups } from "./bounded-groups.js";

const group = (port: string, count: bigint, other = false): GroupHistogram =>
  GroupHistogram.fromPartial({
    group: { metric: Metric.TCP_RTT, probe: 1, other, keys: other ? {} : { server_port: port } },
    histogram: { scale: 3, offset: 0, counts: [count], count },
  });
const told = (groups: BoundedGroups, ...given: GroupHistogram[]) =>
  groups.take(given).map(({ labels, histogram }) => [labels["server_port"] ?? labels["other"], histogram.count]);

it("tells the first groups apart for as long as it lives, and counts all others together", () => {
  const groups = new BoundedGroups(2);
  expect(groups.take([group("80", 1n)])).toMatchObject([
    { labels: { metric: "tcp_rtt", probe: "1", server_port: "80" } },
  ]);
  expect(told(groups, group("443", 9n), group("53", 7n), group("80", 2n), group("", 5n, true))).toEqual([
    ["443", 9n],
    ["80", 2n],
    ["true", 12n],
  ]);
  expect(told(groups, group("53", 70n), group("443", 9n))).toEqual([
    ["443", 9n],
    ["true", 70n],
  ]);
});
