import { LossStage, Metric, RefusalReason, Session, SessionState } from "@latscope/proto";
import { expect, test } from "vitest";
import { sessionTable } from "./list.js";
import { sessionLines } from "./show.js";

const edge = Session.fromPartial({
  name: "sessions/edge",
  displayName: "the edge\x07",
  labels: { team: "net" },
  owner: "uid:0",
  state: SessionState.DEGRADED,
  stateReason: "eth9 is not there",
  createTime: { seconds: 1_700_000_000n, nanos: 0 },
  endTime: { seconds: 1_700_000_060n, nanos: 0 },
  spec: { probes: [{ kind: { $case: "tcp", value: {} } }], interfaces: ["eth0"] },
  probeStatuses: [
    { probe: 0, attached: true },
    { probe: 1, attached: false, capability: { metric: Metric.BLOCK_IO_DEVICE, reason: "no tracefs" } },
  ],
  stats: {
    subscribers: 1,
    kernelMemoryBytes: 16_777_216n,
    totals: {
      measured: 105n,
      delivered: 100n,
      losses: [
        { stage: LossStage.KERNEL_RING_FULL, count: 3n },
        { stage: LossStage.KERNEL_RATE_LIMIT, count: 2n },
        { stage: LossStage.KERNEL_MAP_FULL, count: 0n },
      ],
      refusals: [{ reason: RefusalReason.RETRANSMITTED, count: 7n }],
    },
    programs: [
      {
        name: "tcp_in",
        type: "sched_cls",
        attachedTo: "eth0 ingress",
        runCount: 10n,
        runTimeNs: 1_004n,
        verifiedInstructions: 812,
      },
      { name: "tcp_out", type: "sched_cls", attachedTo: "eth0 egress", verifiedInstructions: 9 },
    ],
  },
});

test("a row for each session", () => {
  expect(sessionTable([edge, Session.fromPartial({ name: "sessions/s-1", state: SessionState.RUNNING })])).toEqual([
    "NAME  STATE     OWNER  MEASURED  DELIVERED  LOST  READERS  ns/RUN  KERNEL MEM",
    "edge  degraded  uid:0       105        100     5        1     100    16.0 MiB",
    "s-1   running                 0          0     0        0       -         0 B",
  ]);
});

test("all of a session", () => {
  expect(sessionLines(edge)).toEqual([
    "name        sessions/edge",
    "title       the edge\\x07",
    "labels      team=net",
    "owner       uid:0",
    "state       degraded: eth9 is not there",
    "measures    tcp on eth0",
    "created     2023-11-14 22:13:20Z",
    "ended       2023-11-14 22:14:20Z",
    "measured    105",
    "delivered   100",
    "lost        3 kernel ring full, 2 over the rate cap",
    "refused     7 retransmitted",
    "readers     1",
    "kernel mem  16.0 MiB",
    "probe 1 (block io device) is not attached: no tracefs",
    "",
    "PROGRAM  TYPE       ATTACHED TO   RUNS  ns/RUN  INSNS",
    "tcp_in   sched_cls  eth0 ingress    10     100    812",
    "tcp_out  sched_cls  eth0 egress      -       -      9",
  ]);
});
