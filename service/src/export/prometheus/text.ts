import { MetricType, type LabelPair, type Metric, type MetricFamily } from "@latscope/proto/io/prometheus/client";

/** What the text is, for HTTP. */
export const textType = "text/plain; version=0.0.4; charset=utf-8";

/** Families as Prometheus' text format; of histograms the classic buckets, it knows no others. */
export function toText(families: readonly MetricFamily[]): string {
  return families.map(familyText).join("");
}

function familyText({ name = "", help = "", type = MetricType.UNTYPED, metric }: MetricFamily): string {
  if (metric.length === 0) return "";
  const head = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${MetricType[type].toLowerCase()}`];
  return `${[...head, ...metric.flatMap((one) => metricLines(name, one))].join("\n")}\n`;
}

function metricLines(name: string, { label, gauge, counter, histogram }: Metric): string[] {
  const value = gauge?.value ?? counter?.value;
  if (value !== undefined) return [line(name, label, value)];
  if (histogram === undefined) return [];
  const { bucket, sampleCount = 0n, sampleSum = 0 } = histogram;
  const bound = (le: string): LabelPair[] => [...label, { name: "le", value: le }];
  return [
    ...bucket.map(({ upperBound = 0, cumulativeCount = 0n }) =>
      line(`${name}_bucket`, bound(String(upperBound)), cumulativeCount),
    ),
    line(`${name}_bucket`, bound("+Inf"), sampleCount),
    line(`${name}_sum`, label, sampleSum),
    line(`${name}_count`, label, sampleCount),
  ];
}

function line(name: string, labels: readonly LabelPair[], value: number | bigint): string {
  const pairs = labels.map(({ name = "", value = "" }) => `${name}="${escapeValue(value)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
