import { HistogramBatch, LossStage, Metric } from "@latscope/proto";
import { AggregationTemporality } from "@latscope/proto/opentelemetry/metrics";
import { expect, it } from "vitest";
import { BoundedGroups } from "../bounded-groups.js";
import { resourceMetrics } from "./messages.js";

const batch = HistogramBatch.fromPartial({
  startTime: { seconds: 10n, nanos: 5 },
  endTime: { seconds: 20n, nanos: 0 },
  groups: [
    {
      group: { metric: Metric.TCP_RTT, probe: 0, keys: { server_port: "443" } },
      histogram: {
        ...{ scale: 3, offset: 80, counts: [1n, 0n, 2n], zeroCount: 4n, count: 8n, overflowCount: 1n },
        ...{ sumNs: 9000n, minNs: 0n, maxNs: 1_000_000n },
      },
    },
  ],
  totals: { measured: 9n, losses: [{ stage: LossStage.KERNEL_RING_FULL, count: 3n }] },
});

it("takes buckets over as they are, what overflowed in that of the greatest", () => {
  const point = { node: "nodes/a", session: "edge", batch, groups: new BoundedGroups(10) };
  const { resource, scopeMetrics } = resourceMetrics(point);
  const attributes = Object.fromEntries(resource?.attributes.map(({ key, value }) => [key, value?.value]) ?? []);
  expect(attributes).toMatchObject({
    "service.name": { $case: "stringValue", value: "latscope" },
    "host.name": { value: "a" },
  });
  const [latency, measured, , , lost] = scopeMetrics[0]?.metrics ?? [];
  const times = { startTimeUnixNano: 10_000_000_005n, timeUnixNano: 20_000_000_000n };
  if (latency?.data?.$case !== "exponentialHistogram") return expect.fail("no histogram");
  expect([latency.name, latency.unit]).toEqual(["latscope.latency", "ns"]);
  const { aggregationTemporality, dataPoints } = latency.data.value;
  expect(aggregationTemporality).toBe(AggregationTemporality.CUMULATIVE);
  expect(dataPoints).toHaveLength(1);
  expect(dataPoints[0]).toMatchObject({
    ...{ ...times, count: 8n, sum: 9000, scale: 3, zeroCount: 4n, min: 0, max: 1_000_000 },
    positive: { offset: 80 },
  });
  // 1 ms is in the bucket (2^(159/8), 2^(160/8)] ns.
  const counts = dataPoints[0]?.positive?.bucketCounts ?? [];
  expect([counts.slice(0, 3), counts.length, counts.at(-1)]).toEqual([[1n, 0n, 2n], 80, 1n]);
  expect(counts.reduce((sum, count) => sum + count, 4n)).toBe(8n);
  expect(measured?.data).toMatchObject({
    $case: "sum",
    value: { isMonotonic: true, dataPoints: [{ ...times, value: { value: 9n } }] },
  });
  expect(lost?.data).toMatchObject({
    value: {
      dataPoints: [
        {
          value: { value: 3n },
          attributes: [
            { key: "session", value: { value: { value: "edge" } } },
            { key: "stage", value: { value: { value: "kernel_ring_full" } } },
          ],
        },
      ],
    },
  });
});
