import { HostStatus } from "@latscope/proto";
import { expect, test } from "vitest";
import { statusLines } from "./status.js";

test("a line for each figure", () => {
  const status = HostStatus.fromPartial({
    node: "nodes/a",
    version: "0.1.0",
    startTime: { seconds: 1_700_000_000n, nanos: 0 },
    sessions: 2,
    streams: 3,
    samples: 9_007_199_254_740_993n,
    residentBytes: 80_000_000n,
    cpuTime: { seconds: 61n, nanos: 0 },
    kernelMemoryBytes: 16_777_216n,
  });
  expect(statusLines(status)).toEqual([
    "node        nodes/a",
    "version     0.1.0",
    "since       2023-11-14 22:13:20Z",
    "sessions    2",
    "streams     3",
    "samples     9007199254740993",
    "resident    76.3 MiB",
    "CPU time    1m 1s",
    "eBPF time   -",
    "kernel mem  16.0 MiB",
  ]);
});

test("what the guard did, and how the audit is", () => {
  const status = HostStatus.fromPartial({
    overhead: { cpuShare: 0.031, maxCpuShare: 0.02, samplesPerSecond: 500, stoppedSessions: 1n },
    audit: { written: 7n, lost: 2n, failing: "ENOSPC: no space left" },
  });
  expect(statusLines(status).slice(-2)).toEqual([
    "eBPF share  3.10 % of 2.00 % granted, thinned to 500 samples a second, 1 stopped",
    "audit       7 lines, 2 lost, ENOSPC: no space left",
  ]);
});
