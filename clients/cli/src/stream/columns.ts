import { Direction, IpProtocol, Metric, type Flow, type FlowColumns, type SampleColumns } from "@latscope/proto";
import { addressText } from "../format/address.js";
import type { Measurement } from "./measurement.js";

/** The samples of a message in columns. An array that would hold only defaults is empty, and so gives defaults here. */
export function* fromColumns(columns: SampleColumns): Generator<Measurement> {
  const flows = columns.flows === undefined ? [] : flowsOf(columns.flows, columns.dictionary);
  let timeNs = columns.baseTimeUnixNs;
  for (let i = 0; i < sampleCount(columns); i += 1) {
    timeNs += columns.timeDeltaNs[i] ?? 0n;
    yield {
      timeNs,
      latencyNs: columns.latencyNs[i] ?? 0n,
      metric: columns.metric[i] ?? Metric.UNSPECIFIED,
      quality: qualities(columns.qualityMask[i] ?? 0),
      flow: flows[(columns.flow[i] ?? 0) - 1],
      process: columns.processes[(columns.process[i] ?? 0) - 1],
      subject: columns.dictionary[(columns.subject[i] ?? 0) - 1] ?? "",
      result: columns.result[i] ?? 0n,
      weight: columns.weight[i] ?? 0,
      probe: columns.probe[i] ?? 0,
      retries: columns.retries[i] ?? 0,
    };
  }
}

// A metric is never a default; the longest other array is a guard against a sender that left it out.
function sampleCount(columns: SampleColumns): number {
  return Math.max(columns.metric.length, columns.latencyNs.length, columns.timeDeltaNs.length);
}

function flowsOf(flows: FlowColumns, dictionary: readonly string[]): Flow[] {
  const addresses = flows.addresses.map(addressText);
  const count = Math.max(
    flows.client.length,
    flows.server.length,
    flows.clientPort.length,
    flows.serverPort.length,
    flows.protocol.length,
  );
  return Array.from({ length: count }, (_, i) => ({
    clientAddress: addresses[flows.client[i] ?? 0] ?? "",
    clientPort: flows.clientPort[i] ?? 0,
    serverAddress: addresses[flows.server[i] ?? 0] ?? "",
    serverPort: flows.serverPort[i] ?? 0,
    direction: flows.direction[i] ?? Direction.UNSPECIFIED,
    interface: dictionary[(flows.interface[i] ?? 0) - 1] ?? "",
    vlanId: flows.vlanId[i] ?? 0,
    measuredFromServer: flows.measuredFromServer[i] ?? false,
    protocol: flows.protocol[i] ?? IpProtocol.UNSPECIFIED,
    networkNamespace: flows.networkNamespace[i] ?? 0n,
    openerUnknown: flows.openerUnknown[i] ?? false,
    ttl: flows.ttl[i] ?? 0,
  }));
}

const known = new Map<number, readonly number[]>();

function qualities(mask: number): readonly number[] {
  let list = known.get(mask);
  if (list === undefined) {
    list = Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (mask >>> bit) & 1);
    known.set(mask, list);
  }
  return list;
}
