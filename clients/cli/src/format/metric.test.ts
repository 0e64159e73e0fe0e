import { Metric, Sample } from "@latscope/proto";
import { expect, test } from "vitest";
import { enumName, longName, metricNamed, metrics, shortName } from "./metric.js";

test("every metric has three names that lead back to it, the short one fits its column", () => {
  expect(metrics).toHaveLength(25);
  for (const metric of metrics) {
    expect(metricNamed(enumName(metric))).toBe(metric);
    expect(metricNamed(longName(metric))).toBe(metric);
    expect(metricNamed(shortName(metric).replaceAll(" ", "-"))).toBe(metric);
    expect(shortName(metric).length).toBeLessThanOrEqual(15);
  }
});

test("names", () => {
  expect(enumName(Metric.TCP_RTT)).toBe("METRIC_TCP_RTT");
  expect(longName(Metric.TCP_HANDSHAKE_REMOTE)).toBe("tcp handshake remote");
  expect(shortName(Metric.TCP_CONNECT_FAILURE)).toBe("connect failed");
  expect(metricNamed("latency")).toBeUndefined();
  expect(metricNamed("unspecified")).toBeUndefined();
});

test("a metric that a newer service knows keeps its number", () => {
  const newer = Sample.decode(Uint8Array.of(0x18, 99)).metric;
  expect(enumName(newer)).toBe("METRIC_99");
  expect(shortName(newer)).toBe("99");
});
