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
