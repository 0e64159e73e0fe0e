import {
  Direction,
  directionToJSON,
  IpProtocol,
  ipProtocolToJSON,
  Quality,
  qualityToJSON,
  type Flow,
  type Process,
} from "@latscope/proto";
import type { Measurement } from "../stream/measurement.js";
import { enumNames } from "./enum.js";
import { enumName } from "./metric.js";
import { jsonString } from "./text.js";

const noFlow = '"client_address":null,"client_port":null,"server_address":null,"server_port":null,"interface":null';

/**
 * A sample as one line of JSON. The first eleven keys are always there (null where the metric has no flow); the others only
 * where they are not zero, false or empty. Integers are written digit by digit from where they are exact, as numbers.
 */
export function sampleJson(sample: Measurement): string {
  const { flow, process } = sample;
  return (
    `{"metric":"${enumName(sample.metric)}","time_ns":${sample.timeNs},"latency_ns":${sample.latencyNs},` +
    `${flow === undefined ? noFlow : ends(flow)},"quality":${qualityList(sample.quality)},"result":${sample.result},` +
    `"subject":${jsonString(sample.subject)}` +
    (flow === undefined ? "" : flowDetails(flow)) +
    (process === undefined ? "" : processDetails(process)) +
    number("retries", sample.retries) +
    number("weight", sample.weight) +
    number("probe", sample.probe) +
    "}"
  );
}

function ends(flow: Flow): string {
  return (
    `"client_address":${jsonString(flow.clientAddress)},"client_port":${flow.clientPort},` +
    `"server_address":${jsonString(flow.serverAddress)},"server_port":${flow.serverPort},"interface":${jsonString(flow.interface)}`
  );
}

function flowDetails(flow: Flow): string {
  return (
    name("protocol", protocolName(flow.protocol), "IP_PROTOCOL_UNSPECIFIED") +
    name("direction", directionName(flow.direction), "DIRECTION_UNSPECIFIED") +
    (flow.measuredFromServer ? ',"measured_from_server":true' : "") +
    (flow.openerUnknown ? ',"opener_unknown":true' : "") +
    number("vlan_id", flow.vlanId) +
    number("ttl", flow.ttl) +
    number("network_namespace", flow.networkNamespace)
  );
}

function processDetails(process: Process): string {
  return (
    number("pid", process.pid) +
    number("tid", process.tid) +
    text("comm", process.comm) +
    number("cgroup_id", process.cgroupId) +
    text("cgroup_path", process.cgroupPath) +
    text("container_id", process.containerId)
  );
}

function number(key: string, value: number | bigint): string {
  return value === 0 || value === 0n ? "" : `,"${key}":${value}`;
}

function text(key: string, value: string): string {
  return value === "" ? "" : `,"${key}":${jsonString(value)}`;
}

function name(key: string, value: string, none: string): string {
  return value === none ? "" : `,"${key}":"${value}"`;
}

const protocolName = enumNames(IpProtocol, ipProtocolToJSON, "IP_PROTOCOL_");
const directionName = enumNames(Direction, directionToJSON, "DIRECTION_");
const qualityName = enumNames(Quality, qualityToJSON, "QUALITY_");

function qualityList(list: readonly number[]): string {
  let inside = "";
  for (const quality of list) inside += `${inside === "" ? "" : ","}"${qualityName(quality)}"`;
  return `[${inside}]`;
}
