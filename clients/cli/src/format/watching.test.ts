import { Direction, IpProtocol, Metric, Start } from "@latscope/proto";
import { expect, test } from "vitest";
import { watchingLine } from "./watching.js";

const tcp = { kind: { $case: "tcp", value: {} } } as const;
const line = (start: Parameters<typeof Start.fromPartial>[0], inline = true) =>
  watchingLine(Start.fromPartial(start), "sessions/s-7f3a", inline);

test("a session of this command's own", () => {
  const effectiveSpec = {
    probes: [tcp],
    interfaces: ["eth0", "eth1", "lo"],
    filters: [{ ports: [{ first: 443, last: 0 }] }],
  };
  expect(line({ effectiveSpec })).toBe(
    "watching tcp on 3 interfaces, filter port 443 (session s-7f3a, ends with this command)",
  );
});

test("one interface is named, none means every one", () => {
  expect(line({ effectiveSpec: { probes: [tcp], interfaces: ["veth*"] } }, false)).toBe(
    "watching tcp on veth* (session s-7f3a)",
  );
  expect(line({ effectiveSpec: { probes: [tcp] } }, false)).toBe("watching tcp on every interface (session s-7f3a)");
});

test("every field of a clause, clauses, exclusions, what this reader leaves out", () => {
  const everything = {
    clientCidrs: ["10.0.0.0/8", "::/0"],
    serverCidrs: ["192.0.2.0/24"],
    cidrs: ["127.0.0.1/32"],
    clientPorts: [{ first: 1024, last: 65_535 }],
    serverPorts: [{ first: 22, last: 22 }],
    vlanIds: [0],
    directions: [Direction.INBOUND],
    pids: [1, 2],
    comms: ["a\nb"],
    cgroupPaths: ["/x"],
    metrics: [Metric.TCP_RTT],
    protocols: [IpProtocol.TCP],
    subjects: ["example.com"],
  };
  const effectiveSpec = {
    probes: [tcp],
    filters: [everything, {}],
    exclude: [{ ports: [{ first: 22, last: 0 }] }],
    collection: { sampleMinLatency: { seconds: 0n, nanos: 50_000_000 } },
  };
  const readerFilters = [{ minLatency: { seconds: 2n, nanos: 0 } }];
  expect(line({ effectiveSpec, readerFilters })).toBe(
    "watching tcp on every interface, filter client 10.0.0.0/8,::/0 server 192.0.2.0/24 address 127.0.0.1/32 client port 1024-65535 " +
      "server port 22 vlan 0 direction inbound pid 1,2 comm a\\x0ab cgroup /x metric rtt protocol tcp subject example.com or everything, " +
      "without port 22, at least 50.000 ms, here only latency at least 2.00 s (session s-7f3a, ends with this command)",
  );
});

test("probes without interfaces", () => {
  const effectiveSpec = {
    probes: [
      { kind: { $case: "syscall", value: { names: ["openat", "read"] } } },
      { kind: { $case: "runQueue", value: {} } },
      { kind: { $case: "blockIo", value: { devices: ["sda"] } } },
      { kind: { $case: "kernelFunction", value: { symbol: "vfs_read" } } },
      { kind: { $case: "userFunction", value: { binary: "libc", target: { $case: "symbol", value: "getaddrinfo" } } } },
      {
        kind: {
          $case: "userFunction",
          value: { binary: "/b", target: { $case: "usdt", value: { provider: "p", start: "s", end: "e" } } },
        },
      },
      { kind: { $case: "tracepointPair", value: { start: "a:b", end: "c:d" } } },
      {},
    ],
  } as const;
  expect(line({ effectiveSpec: { probes: [...effectiveSpec.probes] } } as Parameters<typeof line>[0], false)).toBe(
    "watching syscall openat,read, run queue, block io sda, kernel function vfs_read, user function libc:getaddrinfo, " +
      "user function /b:p:s..e, tracepoint pair a:b..c:d, nothing (session s-7f3a)",
  );
});

test("a service that says nothing of its spec", () => {
  expect(line({}, false)).toBe("watching (session s-7f3a)");
});
