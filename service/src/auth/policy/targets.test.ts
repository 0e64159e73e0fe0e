import { Filter, Metric, SessionSpec } from "@latscope/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classOf, metrics } from "./metric.js";
import { clausesOf, everything, forbiddenOf, type Targets } from "./targets.js";

const nothing: Targets = {
  metrics: "all",
  cidrs: [],
  interfaces: "all",
  networkNamespaces: ["own"],
  cgroups: [],
  binaries: [],
  symbols: "all",
  kernelSymbols: [],
  tracepoints: [],
};

type Kind = NonNullable<Parameters<typeof SessionSpec.fromPartial>[0]["probes"]>[number]["kind"];
const spec = (kinds: Kind[], networkNamespaces: string[] = []): SessionSpec =>
  SessionSpec.fromPartial({ probes: kinds.map((kind) => ({ kind })), networkNamespaces });
const forbidden = (asked: SessionSpec, targets: Partial<Targets>): string[] =>
  forbiddenOf(asked, { ...nothing, ...targets }).map(({ field }) => field);

const symbol = (binary: string, value = "main", pid = 0): Kind => ({
  $case: "userFunction",
  value: { binary, pid, target: { $case: "symbol", value } },
});
const usdt = (start: string, end: string): Kind => ({
  $case: "userFunction",
  value: { binary: "/bin/x", target: { $case: "usdt", value: { provider: "p", start, end } } },
});
const tcp = (...wanted: Metric[]): Kind => ({ $case: "tcp", value: { metrics: wanted } });
const pair = (start: string, end: string): Kind => ({ $case: "tracepointPair", value: { start, end } });
const open = { cidrs: "all", cgroups: "all" } as const;

describe("what a spec names and targets do not allow", () => {
  it.each<[Kind, Partial<Targets>, string[]]>([
    [tcp(), open, []],
    [tcp(), { cgroups: "all" }, ["probes[0].tcp.metrics"]],
    [tcp(), { ...open, metrics: [Metric.TCP_RTT] }, []],
    [tcp(), { ...open, metrics: [Metric.SYSCALL] }, ["probes[0].tcp.metrics"]],
    [tcp(Metric.TCP_RTT, Metric.TCP_FIRST_BYTE), { ...open, metrics: [Metric.TCP_RTT] }, ["probes[0].tcp.metrics[1]"]],
    [tcp(), { ...open, interfaces: [] }, ["probes[0].tcp.metrics"]],
    [{ $case: "dns", value: {} }, { ...open, metrics: [Metric.TCP_RTT] }, ["probes[0]"]],
    [{ $case: "socket", value: {} }, { cidrs: "all" }, ["probes[0].socket.metrics"]],
    [{ $case: "socket", value: {} }, { cidrs: "all", cgroups: ["/a"] }, []],
    [{ $case: "runQueue", value: {} }, { cidrs: "all" }, ["probes[0]"]],
    [{ $case: "runQueue", value: {} }, { cgroups: ["/a"] }, []],
    [
      { $case: "softirq", value: { hardIrqs: true } },
      { cgroups: ["/a"] },
      ["probes[0]", "probes[0].softirq.hard_irqs"],
    ],
    [{ $case: "softirq", value: {} }, { cgroups: "all" }, []],
    [
      { $case: "blockIo", value: { includeQueueTime: true } },
      { ...open, metrics: [Metric.BLOCK_IO_DEVICE] },
      ["probes[0].block_io.include_queue_time"],
    ],
    [symbol("/usr/bin/db"), open, ["probes[0].user_function.binary"]],
    [symbol("/usr/bin/db"), { ...open, binaries: ["/usr/bin/*"] }, []],
    [symbol("/usr/bin/../sbin/x"), { ...open, binaries: ["/usr/**"] }, ["probes[0].user_function.binary"]],
    [symbol("usr/bin/db"), { ...open, binaries: ["**"] }, ["probes[0].user_function.binary"]],
    [symbol("libc"), { ...open, binaries: ["libc"] }, []],
    [symbol("libc.so.6"), { ...open, binaries: ["libc"] }, ["probes[0].user_function.binary"]],
    [symbol("/usr/bin/db", "main", 7), { ...open, binaries: ["/usr/bin/db"] }, ["probes[0].user_function.pid"]],
    [symbol("/usr/bin/db", "main", 7), { ...open, binaries: "all" }, []],
    [symbol("/bin/x", "secret"), { ...open, binaries: "all", symbols: ["main"] }, ["probes[0].user_function.symbol"]],
    [usdt("a", "b"), { ...open, binaries: "all", symbols: ["p:a"] }, ["probes[0].user_function.usdt.end"]],
    [usdt("a", "b"), { ...open, binaries: "all", symbols: ["p:*"] }, []],
    [{ $case: "kernelFunction", value: { symbol: "vfs_read" } }, open, ["probes[0].kernel_function.symbol"]],
    [{ $case: "kernelFunction", value: { symbol: "tcp_ack" } }, { ...open, kernelSymbols: ["tcp_*"] }, []],
    [pair("block:a", "sched:b"), { ...open, tracepoints: ["block:*"] }, ["probes[0].tracepoint_pair.end"]],
    [pair("block:a", "sched:b"), { ...open, tracepoints: "all" }, []],
  ])("%j within %j: %j", (kind, targets, fields) => {
    expect(forbidden(spec([kind]), targets)).toEqual(fields);
  });

  it.each<[string[], Targets["networkNamespaces"], string[]]>([
    [[], ["own"], []],
    [[], ["/run/netns/*"], ["network_namespaces"]],
    [["/run/netns/blue"], ["/run/netns/*"], []],
    [["/run/netns/blue", "/proc/1/ns/net"], ["/run/netns/*"], ["network_namespaces[1]"]],
    [["/run/netns/../../proc/1/ns/net"], ["**"], ["network_namespaces[0]"]],
    [["pid:7"], ["own", "**"], ["network_namespaces[0]"]],
    [["pid:7"], "all", []],
  ])("in the namespaces %j within %j: %j", (names, networkNamespaces, fields) => {
    expect(forbidden(spec([tcp()], names), { ...open, networkNamespaces })).toEqual(fields);
    // Nothing else looks into a namespace.
    expect(forbidden(spec([{ $case: "runQueue", value: {} }], names), { ...open, networkNamespaces })).toEqual([]);
  });
});

describe("targets as clauses", () => {
  const wide = spec([tcp()]);

  it("are none where everything is allowed, and none at all where nothing is", () => {
    expect(clausesOf(everything, wide)).toBeUndefined();
    expect(clausesOf(nothing, wide)).toEqual([]);
  });

  it("leave out the metrics of probes that name what is not allowed", () => {
    const asked = spec([symbol("/bin/a"), symbol("/bin/b"), { $case: "runQueue", value: {} }, tcp()], ["/run/netns/x"]);
    const left = clausesOf({ ...nothing, ...open, binaries: ["/bin/a"] }, asked)?.flatMap((clause) => clause.metrics);
    expect(left).toContain(Metric.RUN_QUEUE);
    expect(left).toContain(Metric.SOCKET_RTT);
    expect(left).not.toContain(Metric.USER_FUNCTION);
    expect(left).not.toContain(Metric.TCP_RTT);
  });

  interface Latency {
    metric: Metric;
    network: string;
    cgroup: string;
  }
  const networks = ["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"];
  const cgroups = ["/a", "/a/b", "/c"];
  const list = <T>(values: readonly T[]) => fc.oneof(fc.constant("all" as const), fc.subarray([...values]));
  const within = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);
  /** As the collector does: fields AND, values OR, and no match for a condition that the metric cannot meet. */
  const matched = (clause: Filter, { metric, network, cgroup }: Latency): boolean => {
    const of = classOf(metric);
    return (
      clause.metrics.includes(metric) &&
      (clause.cidrs.length === 0 || ((of === "packet" || of === "socket") && clause.cidrs.includes(network))) &&
      (clause.cgroupPaths.length === 0 ||
        ((of === "socket" || of === "task") && clause.cgroupPaths.some((root) => within(cgroup, root))))
    );
  };

  it("match what is allowed, and nothing else", () => {
    const targets = fc.record({ metrics: list(metrics), cidrs: list(networks), cgroups: list(cgroups) });
    const latency = fc.record({
      metric: fc.constantFrom(...metrics),
      network: fc.constantFrom(...networks),
      cgroup: fc.constantFrom(...cgroups),
    });
    fc.assert(
      fc.property(targets, latency, (some, one) => {
        const of = classOf(one.metric);
        const allowed =
          (some.metrics === "all" || some.metrics.includes(one.metric)) &&
          (of === "task" || of === "host" || some.cidrs === "all" || some.cidrs.includes(one.network)) &&
          (of === "packet" ||
            some.cgroups === "all" ||
            (of !== "host" && some.cgroups.some((root) => within(one.cgroup, root))));
        const clauses = clausesOf({ ...nothing, ...some }, wide) ?? [Filter.fromPartial({ metrics: [...metrics] })];
        expect(clauses.some((clause) => matched(clause, one))).toBe(allowed);
      }),
      { numRuns: 2000 },
    );
  });
});
