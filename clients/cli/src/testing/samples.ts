import { Direction, IpProtocol, Metric, Quality, type Flow } from "@latscope/proto";
import type { Measurement } from "../stream/measurement.js";

/** A flow for tests; 10.0.0.7:51334 -> 142.250.74.46:443 on eth0 unless told. */
export function aFlow(fields: Partial<Flow> = {}): Flow {
  return {
    clientAddress: "10.0.0.7",
    clientPort: 51334,
    serverAddress: "142.250.74.46",
    serverPort: 443,
    direction: Direction.OUTBOUND,
    interface: "eth0",
    vlanId: 0,
    measuredFromServer: false,
    protocol: IpProtocol.TCP,
    networkNamespace: 0n,
    openerUnknown: false,
    ttl: 0,
    ...fields,
  };
}

/** A sample for tests: an RTT of 11.214 ms on {@link aFlow} unless told. */
export function aSample(fields: Partial<Measurement> = {}): Measurement {
  return {
    timeNs: 1_700_000_000_218_000_000n,
    latencyNs: 11_214_000n,
    metric: Metric.TCP_RTT,
    quality: [Quality.SEQUENCE_MATCHED],
    flow: aFlow(),
    process: undefined,
    subject: "",
    result: 0n,
    weight: 0,
    probe: 0,
    retries: 0,
    ...fields,
  };
}
