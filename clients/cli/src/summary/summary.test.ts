import { End, LossStage, Metric, RefusalReason } from "@latscope/proto";
import { expect, test } from "vitest";
import { aSample } from "../testing/samples.js";
import { booksOf } from "./books.js";
import { Summary } from "./summary.js";

test("a row for each metric, in the contract's order, and the books", () => {
  const summary = new Summary();
  for (const latencyNs of [212_000n, 11_240_000n, 88_132_000n]) summary.add(aSample({ latencyNs }));
  for (let i = 0; i < 1000; i += 1)
    summary.add(aSample({ metric: Metric.TCP_HANDSHAKE_REMOTE, latencyNs: 11_871_000n }));
  const end = End.fromPartial({
    totals: { delivered: 1003n },
    sessionTotals: {
      measured: 1003n,
      delivered: 1003n,
      refusals: [
        { reason: RefusalReason.RETRANSMITTED, count: 12n },
        { reason: RefusalReason.REORDERED, count: 5n },
        { reason: RefusalReason.FRAGMENT, count: 0n },
      ],
    },
  });
  expect(summary.lines(booksOf(end))).toEqual([
    "metric     count     min     p50     p90     p99     max",
    "handshake   1000  11.871  11.871  11.871  11.871  11.871 ms",
    "rtt            3   0.212  11.268  88.132  88.132  88.132 ms",
    "1003 measured, 1003 delivered, 0 lost; 17 not reported because ambiguous (12 retransmitted, 5 reordered)",
  ]);
});

test("losses by stage, the kernel's and this reader's; what was filtered and only aggregated", () => {
  const end = End.fromPartial({
    totals: {
      delivered: 90n,
      filtered: 2n,
      losses: [
        { stage: LossStage.KERNEL_RING_FULL, count: 4n },
        { stage: LossStage.SUBSCRIBER_QUEUE, count: 3n },
      ],
    },
    sessionTotals: {
      measured: 100n,
      aggregatedOnly: 1n,
      losses: [
        { stage: LossStage.KERNEL_RING_FULL, count: 4n },
        { stage: LossStage.KERNEL_MAP_FULL, count: 0n },
      ],
    },
  });
  expect(new Summary().lines(booksOf(end))).toEqual([
    "100 measured, 90 delivered, 2 filtered out, 1 in histograms only, 7 lost (4 kernel ring full, 3 read too slowly); 0 not reported because ambiguous",
  ]);
});

test("without the service's totals", () => {
  const books = { measured: undefined, delivered: 5n, filtered: 0n, aggregatedOnly: 0n, losses: [], refusals: [] };
  expect(new Summary().lines(books)).toEqual(["5 delivered, 0 lost; the service's own totals did not come"]);
});
