import { Direction, Filter, Metric, SessionSpec } from "@latscope/proto";
import { Command } from "commander";
import { expect, test } from "vitest";
import { addLatencyFlag, type LatencyFlag } from "./filter.js";
import { addLimitFlags, addSpecFlags, readerFiltersFrom, specFrom, type LimitFlags, type SpecFlags } from "./spec.js";

function flags(line: string): SpecFlags & LatencyFlag & LimitFlags {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addSpecFlags(command);
  addLatencyFlag(command);
  addLimitFlags(command);
  command.parse(line.split(" "), { from: "user" });
  return command.opts();
}

const spec = (line: string) => specFrom(flags(line));
const probe = (line: string) => spec(line).probes.map(({ kind }) => kind);

test("the plainest spec asks for nothing but its probe", () => {
  expect(spec("--tcp")).toEqual(
    SessionSpec.fromPartial({ probes: [{ kind: { $case: "tcp", value: { metrics: [] } } }] }),
  );
});

test("no probe", () => {
  expect(() => spec("--port 443")).toThrow("say what to measure, for example --tcp");
});

test.each([
  ["--udp", { $case: "udp", value: {} }],
  ["--dns", { $case: "dns", value: { ports: [], udpOnly: false } }],
  ["--icmp", { $case: "icmp", value: {} }],
  ["--quic", { $case: "quic", value: { ports: [], spinBit: false } }],
  ["--quic --metric quic-spin-rtt", { $case: "quic", value: { ports: [], spinBit: true } }],
  ["--socket --metric socket-rtt", { $case: "socket", value: { cgroupPath: "", metrics: [Metric.SOCKET_RTT] } }],
  ["--tcp --metric rtt,handshake", { $case: "tcp", value: { metrics: [Metric.TCP_RTT, Metric.TCP_HANDSHAKE_REMOTE] } }],
  ["--syscall openat", { $case: "syscall", value: { names: ["openat"], failedOnly: false } }],
  [
    "--syscall openat,read --syscall close",
    { $case: "syscall", value: { names: ["openat", "read", "close"], failedOnly: false } },
  ],
  ["--syscall all", { $case: "syscall", value: { names: [], failedOnly: false } }],
  ["--run-queue", { $case: "runQueue", value: {} }],
  ["--off-cpu", { $case: "offCpu", value: { includeIdle: false } }],
  ["--block-io", { $case: "blockIo", value: { includeQueueTime: false, devices: [] } }],
  ["--block-io --metric block-io-queue", { $case: "blockIo", value: { includeQueueTime: true, devices: [] } }],
  ["--softirq", { $case: "softirq", value: { hardIrqs: false } }],
  ["--softirq --metric hardirq", { $case: "softirq", value: { hardIrqs: true } }],
  ["--net-stack", { $case: "netStack", value: {} }],
  ["--kernel-function vfs_read", { $case: "kernelFunction", value: { symbol: "vfs_read" } }],
  [
    "--user-function libc:getaddrinfo",
    { $case: "userFunction", value: { binary: "libc", target: { $case: "symbol", value: "getaddrinfo" }, pid: 0 } },
  ],
  [
    "--user-function /bin/x:core::fmt::write --pid 7",
    {
      $case: "userFunction",
      value: { binary: "/bin/x", target: { $case: "symbol", value: "core::fmt::write" }, pid: 7 },
    },
  ],
  [
    "--usdt /bin/x:prov:begin:done --pid 7,8",
    {
      $case: "userFunction",
      value: {
        binary: "/bin/x",
        target: { $case: "usdt", value: { provider: "prov", start: "begin", end: "done" } },
        pid: 0,
      },
    },
  ],
  [
    "--tracepoint-pair block:block_rq_issue,block:block_rq_complete",
    {
      $case: "tracepointPair",
      value: { start: "block:block_rq_issue", end: "block:block_rq_complete", keyFields: [] },
    },
  ],
  [
    "--tracepoint-pair sched:sched_process_fork,sched:sched_process_exec,child_pid=pid",
    {
      $case: "tracepointPair",
      value: {
        start: "sched:sched_process_fork",
        end: "sched:sched_process_exec",
        keyFields: [{ start: "child_pid", end: "pid" }],
      },
    },
  ],
  [
    "--tracepoint-pair a:b,c:d,x,y",
    {
      $case: "tracepointPair",
      value: {
        start: "a:b",
        end: "c:d",
        keyFields: [
          { start: "x", end: "" },
          { start: "y", end: "" },
        ],
      },
    },
  ],
  ["--cpu-stall", { $case: "cpuStall", value: {} }],
])("%s", (line, kind) => {
  expect(probe(line)).toEqual([kind]);
});

test("several probes come in the contract's order", () => {
  expect(probe("--run-queue --kernel-function a,b --tcp").map((kind) => kind?.$case)).toEqual([
    "tcp",
    "runQueue",
    "kernelFunction",
    "kernelFunction",
  ]);
});

test("filters make one clause", () => {
  const line =
    "--tcp --port 443,8000-8080 --client-port 1024-65535 --server-port 22 --cidr 10.0.0.0/8 --client ::1 --server 192.0.2.0/24 " +
    "--vlan 0,5 --direction inbound --pid 12 --comm node --cgroup /a --metric rtt --interface eth0 --interface veth*";
  const { filters, interfaces, collection } = spec(line);
  expect(filters).toEqual([
    Filter.fromPartial({
      ports: [
        { first: 443, last: 443 },
        { first: 8000, last: 8080 },
      ],
      clientPorts: [{ first: 1024, last: 65_535 }],
      serverPorts: [{ first: 22, last: 22 }],
      cidrs: ["10.0.0.0/8"],
      clientCidrs: ["::1/128"],
      serverCidrs: ["192.0.2.0/24"],
      vlanIds: [0, 5],
      directions: [Direction.INBOUND],
      pids: [12],
      comms: ["node"],
      cgroupPaths: ["/a"],
      metrics: [Metric.TCP_RTT],
    }),
  ]);
  expect(interfaces).toEqual(["eth0", "veth*"]);
  expect(collection).toBeUndefined();
});

test("a least latency is withheld by the session's own collection, and by a reader's clause in a session of others", () => {
  const { collection, filters } = spec("--tcp --min-latency 1.5ms");
  expect(collection?.sampleMinLatency).toEqual({ seconds: 0n, nanos: 1_500_000 });
  expect(collection?.maxSamplesPerSecond).toBeUndefined();
  expect(filters).toEqual([]);
  const minLatency = { seconds: 0n, nanos: 1_500_000 };
  expect(readerFiltersFrom(flags("--min-latency 1.5ms"))).toEqual([Filter.fromPartial({ minLatency })]);
  expect(readerFiltersFrom(flags("--min-latency 1.5ms --comm x"))).toEqual([
    Filter.fromPartial({ comms: ["x"], minLatency }),
  ]);
  expect(readerFiltersFrom(flags("--comm x"))).toEqual([Filter.fromPartial({ comms: ["x"] })]);
  expect(readerFiltersFrom({})).toEqual([]);
});

test("limits", () => {
  const line =
    "--tcp --duration 10m --max-samples 18446744073709551615 --max-samples-per-second 0 --idle-timeout 1h --retain 30s --history-bytes 0";
  const { limits, collection } = spec(line);
  expect(limits).toEqual({
    duration: { seconds: 600n, nanos: 0 },
    maxSamples: 18_446_744_073_709_551_615n,
    idleTimeout: { seconds: 3600n, nanos: 0 },
    retain: { seconds: 30n, nanos: 0 },
    historyBytes: 0n,
  });
  expect(collection?.maxSamplesPerSecond).toBe(0);
});

test.each([
  [
    "--tcp --port 70000",
    "error: option '--port <port>' argument '70000' is invalid. It must be a whole number from 0 to 65535.",
  ],
  [
    "--user-function getaddrinfo",
    "error: option '--user-function <binary:symbol>' argument 'getaddrinfo' is invalid. It must be BINARY:SYMBOL, such as libc:getaddrinfo.",
  ],
  [
    "--usdt a:b:c",
    "error: option '--usdt <binary:provider:start:end>' argument 'a:b:c' is invalid. It must be BINARY:PROVIDER:START:END.",
  ],
  [
    "--tracepoint-pair a,b",
    "error: option '--tracepoint-pair <start,end[,field...]>' argument 'a,b' is invalid. It must be two tracepoints, such as sched:sched_waking,sched:sched_switch,pid=next_pid.",
  ],
])("%s says which flag is wrong", (line, message) => {
  expect(() => flags(line)).toThrow(message);
});
