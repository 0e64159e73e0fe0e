import { Metric, metricToJSON } from "@latscope/proto";
import { enumNames } from "./enum.js";

const shortNames: Readonly<Record<number, string>> = {
  [Metric.TCP_HANDSHAKE_REMOTE]: "handshake",
  [Metric.TCP_HANDSHAKE_LOCAL]: "handshake local",
  [Metric.TCP_RTT]: "rtt",
  [Metric.TCP_FIRST_BYTE]: "first byte",
  [Metric.TCP_CONNECT_FAILURE]: "connect failed",
  [Metric.UDP_REPLY]: "udp reply",
  [Metric.DNS_REPLY]: "dns reply",
  [Metric.ICMP_ECHO]: "icmp echo",
  [Metric.QUIC_HANDSHAKE]: "quic handshake",
  [Metric.QUIC_SPIN_RTT]: "quic spin rtt",
  [Metric.SOCKET_RTT]: "socket rtt",
  [Metric.SOCKET_CONNECT]: "socket connect",
  [Metric.SOCKET_RETRANSMIT]: "retransmit",
  [Metric.BLOCK_IO_DEVICE]: "block io",
  [Metric.BLOCK_IO_QUEUE]: "block io queue",
  [Metric.NET_STACK_RECEIVE]: "net receive",
};

/** Every metric this client knows, in the contract's order. */
export const metrics: readonly Metric[] = Object.values(Metric).filter(
  (value): value is Metric =>
    typeof value === "number" && value !== Metric.UNSPECIFIED && value !== Metric.UNRECOGNIZED,
);

/** `METRIC_TCP_RTT` */
export const enumName = enumNames(Metric, metricToJSON, "METRIC_");

/** `tcp rtt` */
export function longName(metric: Metric): string {
  return enumName(metric).slice("METRIC_".length).toLowerCase().replaceAll("_", " ");
}

/** What stands in a sample's line: `rtt`. At most 15 characters. */
export function shortName(metric: Metric): string {
  return shortNames[metric] ?? longName(metric);
}

/** A metric by any of its names, with spaces, hyphens or underscores between the words; undefined if there is none such. */
export function metricNamed(text: string): Metric | undefined {
  const wanted = text.toLowerCase().replace(/[-_]/g, " ");
  return metrics.find((metric) => [shortName(metric), longName(metric), `metric ${longName(metric)}`].includes(wanted));
}
