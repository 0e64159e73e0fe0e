import {
  MetricFamily,
  MetricType,
  type Histogram,
  type LabelPair,
  type Metric,
} from "@latscope/proto/io/prometheus/client";

/** Labels of a metric; one without a value is not there. */
export type Labels = Readonly<Record<string, string | undefined>>;

/** One metric with the number it has now. */
export type Point = readonly [labels: Labels, value: number | bigint];

/** A family of metrics that only grow. @param name without `_total` */
export function counter(name: string, help: string, points: readonly Point[]): MetricFamily {
  const metrics = points.map(([labels, value]) => ({ label: pairs(labels), counter: { value: Number(value) } }));
  return family(`${name}_total`, help, MetricType.COUNTER, metrics);
}

export function gauge(name: string, help: string, points: readonly Point[]): MetricFamily {
  const metrics = points.map(([labels, value]) => ({ label: pairs(labels), gauge: { value: Number(value) } }));
  return family(name, help, MetricType.GAUGE, metrics);
}

export function histogram(
  name: string,
  help: string,
  points: readonly (readonly [labels: Labels, value: Histogram])[],
): MetricFamily {
  const metrics = points.map(([labels, value]) => ({ label: pairs(labels), histogram: value }));
  return family(name, help, MetricType.HISTOGRAM, metrics);
}

function family(name: string, help: string, type: MetricType, metrics: readonly Partial<Metric>[]): MetricFamily {
  return MetricFamily.fromPartial({ name, help, type, metric: [...metrics] });
}

function pairs(labels: Labels): LabelPair[] {
  return Object.entries(labels).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}
