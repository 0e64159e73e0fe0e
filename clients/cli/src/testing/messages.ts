import type { EndReason } from "@latscope/proto";
import { LossStage, Metric, Quality, RefusalReason, StreamSamplesResponse } from "@latscope/proto";

type Partial = Parameters<typeof StreamSamplesResponse.fromPartial>[0];

/** A message of the stream of sessions/s-7f3a. */
export function message(event: Partial["event"]): StreamSamplesResponse {
  return StreamSamplesResponse.fromPartial({ node: "nodes/test", session: "sessions/s-7f3a", event });
}

/** Always the first: TCP on three interfaces, port 443. */
export const startMessage = message({
  $case: "start",
  value: {
    effectiveSpec: {
      probes: [{ kind: { $case: "tcp", value: {} } }],
      interfaces: ["eth0", "eth1", "lo"],
      filters: [{ ports: [{ first: 443, last: 443 }] }],
    },
  },
});

/** An RTT of 2^53 + 1 ns, and a refused connection with a name that would clear a screen. */
export const rowsMessage = message({
  $case: "rows",
  value: {
    samples: [
      {
        time: { seconds: 1_700_000_000n, nanos: 218_000_001 },
        latency: { seconds: 9_007_199n, nanos: 254_740_993 },
        metric: Metric.TCP_RTT,
        quality: [Quality.TIMESTAMP_MATCHED],
        flow: {
          clientAddress: "2001:db8::7",
          clientPort: 51334,
          serverAddress: "2001:db8::9",
          serverPort: 443,
          interface: "eth0",
        },
      },
      {
        time: { seconds: 1_700_000_001n, nanos: 902_000_000 },
        latency: { seconds: 0n, nanos: 412_000 },
        metric: Metric.TCP_CONNECT_FAILURE,
        subject: "\x1b[2J",
        result: 111n,
        flow: {
          clientAddress: "10.0.0.7",
          clientPort: 51344,
          serverAddress: "10.0.9.9",
          serverPort: 443,
          interface: "eth0",
        },
      },
    ],
  },
});

/** Three samples that a ring had no room for. */
export const lossMessage = message({ $case: "loss", value: { stage: LossStage.KERNEL_RING_FULL, count: 3n } });

/** What such a stream ends with. */
export function endMessage(reason: EndReason): StreamSamplesResponse {
  return message({
    $case: "end",
    value: {
      reason,
      totals: { delivered: 2n },
      sessionTotals: {
        measured: 5n,
        delivered: 2n,
        losses: [{ stage: LossStage.KERNEL_RING_FULL, count: 3n }],
        refusals: [
          { reason: RefusalReason.RETRANSMITTED, count: 12n },
          { reason: RefusalReason.REORDERED, count: 5n },
        ],
      },
    },
  });
}
