import { Metric, Quality } from "@latscope/proto";
import { getSystemErrorMap } from "node:util";
import type { Measurement } from "../stream/measurement.js";
import { printable } from "./text.js";

const qualityNotes: Readonly<Record<number, string>> = {
  // How often is in retries, which has a note of its own.
  [Quality.SYN_RETRANSMITTED]: "",
  [Quality.QUERY_RETRANSMITTED]: "",
  [Quality.MAY_INCLUDE_ACK_DELAY]: "ack delay",
  [Quality.INCLUDES_LOCAL_HOST]: "local",
  [Quality.TIMESTAMP_MATCHED]: "ts",
  [Quality.SEQUENCE_MATCHED]: "seq",
  [Quality.DERIVED_FROM_SRTT]: "from srtt",
};

const errors: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "timed out",
};

// RFC 1035 4.1.1, RFC 2136 2.2
const rcodes = [
  "NOERROR",
  "FORMERR",
  "SERVFAIL",
  "NXDOMAIN",
  "NOTIMP",
  "REFUSED",
  "YXDOMAIN",
  "YXRRSET",
  "NXRRSET",
  "NOTAUTH",
  "NOTZONE",
];

/** What is to be known of a sample beside its value, in a few words each: `seq`, `retransmitted 2`, `refused`. */
export function notes(sample: Measurement): string[] {
  const found: string[] = [];
  // Where there is no flow the subject stands in its place.
  if (sample.flow !== undefined && sample.subject !== "") found.push(printable(sample.subject));
  const result = resultNote(sample);
  if (result !== undefined) found.push(result);
  for (const quality of sample.quality) found.push(qualityNote(quality));
  if (sample.retries > 0) found.push(`retransmitted ${sample.retries}`);
  if (sample.weight > 1) found.push(`one of ${sample.weight}`);
  if ((sample.flow?.vlanId ?? 0) !== 0) found.push(`vlan ${sample.flow?.vlanId ?? 0}`);
  if (sample.flow?.openerUnknown === true) found.push("joined midway");
  return found.filter((note) => note !== "");
}

function qualityNote(quality: number): string {
  return qualityNotes[quality] ?? `quality ${quality}`;
}

function resultNote({ metric, result }: Measurement): string | undefined {
  if (result === 0n) return undefined;
  if (metric === Metric.DNS_REPLY) return rcodes[Number(result)] ?? `rcode ${result}`;
  if (metric === Metric.ICMP_ECHO) return `code ${result}`;
  // A syscall's own return value is negative where errno is positive.
  const [name] = getSystemErrorMap().get(Number(result > 0n ? -result : result)) ?? [];
  return name === undefined ? `result ${result}` : (errors[name] ?? name);
}
