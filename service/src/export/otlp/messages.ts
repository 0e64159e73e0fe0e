import { LossStage, RefusalReason, type HistogramBatch, type Totals } from "@latscope/proto";
import type { Timestamp } from "@latscope/proto/google/protobuf/timestamp";
import {
  AggregationTemporality,
  ExponentialHistogramDataPoint,
  Metric,
  NumberDataPoint,
  ResourceMetrics,
} from "@latscope/proto/opentelemetry/metrics";
import { version } from "../../node/version.js";
import type { BoundedGroups, NamedHistogram } from "../bounded-groups.js";
import { placedCounts } from "../overflow.js";

type Attributes = Readonly<Record<string, string | undefined>>;

/** What is told of one session at one time. */
export interface SessionPoint {
  /** `nodes/{name}` */
  node: string;
  /** The part of its name after `sessions/`. */
  session: string;
  /** Cumulative, since the session's start. */
  batch: HistogramBatch;
  groups: BoundedGroups;
}

/** What a session measured so far, as OpenTelemetry has it. Our histograms are its exponential ones: nothing is converted. */
export function resourceMetrics({ node, session, batch, groups }: SessionPoint): ResourceMetrics {
  const times = { startTimeUnixNano: nanoseconds(batch.startTime), timeUnixNano: nanoseconds(batch.endTime) };
  const sum = (name: string, description: string, points: readonly (readonly [Attributes, bigint])[]): Metric =>
    Metric.fromPartial({
      name,
      description,
      unit: "{latency}",
      data: {
        $case: "sum",
        value: {
          isMonotonic: true,
          aggregationTemporality: AggregationTemporality.CUMULATIVE,
          dataPoints: points.map(([attributes, value]) =>
            NumberDataPoint.fromPartial({
              ...times,
              attributes: pairs({ session, ...attributes }),
              value: { $case: "asInt", value },
            }),
          ),
        },
      },
    });
  const latency = Metric.fromPartial({
    name: "latscope.latency",
    description: "Latencies by session, metric and group.",
    unit: "ns",
    data: {
      $case: "exponentialHistogram",
      value: {
        aggregationTemporality: AggregationTemporality.CUMULATIVE,
        dataPoints: groups.take(batch.groups).map((group) => ({ ...dataPoint(session, group), ...times })),
      },
    },
  });
  return ResourceMetrics.fromPartial({
    resource: {
      attributes: pairs({
        "service.name": "latscope",
        "service.version": version,
        "host.name": node.replace(/^nodes\//, ""),
      }),
    },
    scopeMetrics: [{ scope: { name: "latscope", version }, metrics: [latency, ...books(batch.totals, sum)] }],
  });
}

function books(
  totals: Totals | undefined,
  sum: (name: string, description: string, points: readonly (readonly [Attributes, bigint])[]) => Metric,
): Metric[] {
  if (totals === undefined) return [];
  const { measured, delivered, aggregatedOnly, losses, refusals } = totals;
  return [
    sum("latscope.session.measured", "Latencies told apart in the kernel.", [[{}, measured]]),
    sum("latscope.session.delivered", "Samples read out of the kernel.", [[{}, delivered]]),
    sum("latscope.session.aggregated", "Latencies that only histograms count, by request.", [[{}, aggregatedOnly]]),
    sum(
      "latscope.session.lost",
      "Samples that existed and did not arrive.",
      losses.map(({ stage, count }) => [{ stage: LossStage[stage].toLowerCase() }, count] as const),
    ),
    sum(
      "latscope.session.refused",
      "Latencies that could not be told truthfully.",
      refusals.map(({ reason, count }) => [{ reason: RefusalReason[reason].toLowerCase() }, count] as const),
    ),
  ];
}

function dataPoint(session: string, { labels, histogram }: NamedHistogram): ExponentialHistogramDataPoint {
  const { scale, offset, count, sumNs, zeroCount, minNs, maxNs } = histogram;
  return ExponentialHistogramDataPoint.fromPartial({
    attributes: pairs({ session, ...labels }),
    count,
    sum: Number(sumNs),
    scale,
    zeroCount,
    positive: { offset, bucketCounts: [...placedCounts(histogram)] },
    min: minNs === undefined ? undefined : Number(minNs),
    max: maxNs === undefined ? undefined : Number(maxNs),
  });
}

function pairs(attributes: Attributes) {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: { value: { $case: "stringValue" as const, value } } }],
  );
}

function nanoseconds(time: Timestamp | undefined): bigint {
  return (time?.seconds ?? 0n) * 1_000_000_000n + BigInt(time?.nanos ?? 0);
}
