import { Metric, NodeCapabilities, Probe } from "@latscope/proto";
import { Collector } from "@latscope/addon";
import { expect, it } from "vitest";
import { asksForAll, classOf, metricName, metrics, yieldsOf, type MetricClass } from "./metric.js";

it("knows of every metric what the collector can filter it by", { timeout: 60_000 }, async () => {
  const collector = Collector.open({ node: "nodes/test" });
  const { capabilities } = NodeCapabilities.decode(await collector.capabilities());
  collector.close();
  expect(capabilities.map(({ metric }) => metric)).toEqual(metrics);
  const fields: Record<MetricClass, string[]> = {
    packet: ["cidrs"],
    socket: ["cidrs", "cgroup_paths"],
    task: ["cgroup_paths"],
    host: [],
  };
  for (const { metric, filterFields } of capabilities) {
    const told = ["cidrs", "cgroup_paths"].filter((field) => filterFields.includes(field));
    expect([metricName(metric), told]).toEqual([metricName(metric), fields[classOf(metric)]]);
  }
});

it.each([
  [
    { kind: { $case: "tcp" as const, value: {} } },
    ["tcp_handshake_remote", "tcp_handshake_local", "tcp_rtt", "tcp_first_byte", "tcp_connect_failure"],
    true,
  ],
  [{ kind: { $case: "tcp" as const, value: { metrics: [Metric.TCP_RTT] } } }, ["tcp_rtt"], false],
  [{ kind: { $case: "socket" as const, value: {} } }, ["socket_rtt", "socket_connect", "socket_retransmit"], true],
  [{ kind: { $case: "quic" as const, value: { spinBit: true } } }, ["quic_handshake", "quic_spin_rtt"], false],
  [{ kind: { $case: "blockIo" as const, value: {} } }, ["block_io_device"], false],
  [{ kind: { $case: "softirq" as const, value: { hardIrqs: true } } }, ["softirq", "hardirq"], false],
  [{}, [], false],
])("tells what a probe yields: %j", (partial, names, all) => {
  const probe = Probe.fromPartial(partial);
  expect(yieldsOf(probe).map(({ metric }) => metricName(metric))).toEqual(names);
  expect(asksForAll(probe)).toBe(all);
});
