import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { MetricFamily } from "@latscope/proto/io/prometheus/client";

/** What the bytes are, for HTTP. */
export const protobufType =
  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/** Families as messages with their lengths: with native histograms. */
export function toProtobuf(families: readonly MetricFamily[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const family of families) if (family.metric.length > 0) writer.bytes(MetricFamily.encode(family).finish());
  return writer.finish();
}
