import { Direction, Flow, IpProtocol, Metric, Quality, Sample } from "@latscope/proto";
import { expect, test } from "vitest";
import { aFlow, aSample } from "../testing/samples.js";
import { sampleJson } from "./json.js";

// Metric 99 and quality 31; protocol 132: what a newer service may send.
const newer = Sample.decode(Uint8Array.of(0x18, 99, 0x2a, 1, 31));
const newerFlow = Flow.decode(Uint8Array.of(0x48, 132, 1));

test.each([
  [
    "an RTT",
    {},
    '{"metric":"METRIC_TCP_RTT","time_ns":1700000000218000000,"latency_ns":11214000,"client_address":"10.0.0.7","client_port":51334,' +
      '"server_address":"142.250.74.46","server_port":443,"interface":"eth0","quality":["QUALITY_SEQUENCE_MATCHED"],"result":0,"subject":"",' +
      '"protocol":"IP_PROTOCOL_TCP","direction":"DIRECTION_OUTBOUND"}',
  ],
  [
    "integers beyond 2^53",
    {
      latencyNs: 9_007_199_254_740_993n,
      timeNs: 9_223_372_036_854_775_807n,
      result: -9_223_372_036_854_775_807n,
      quality: [],
      flow: aFlow({
        networkNamespace: 18_446_744_073_709_551_615n,
        protocol: IpProtocol.UNSPECIFIED,
        direction: Direction.UNSPECIFIED,
      }),
    },
    '{"metric":"METRIC_TCP_RTT","time_ns":9223372036854775807,"latency_ns":9007199254740993,"client_address":"10.0.0.7","client_port":51334,' +
      '"server_address":"142.250.74.46","server_port":443,"interface":"eth0","quality":[],"result":-9223372036854775807,"subject":"",' +
      '"network_namespace":18446744073709551615}',
  ],
  [
    "a span",
    {
      metric: Metric.SYSCALL,
      flow: undefined,
      process: { pid: 12, tid: 13, comm: 'a"\x1b', cgroupId: 7n, cgroupPath: "/x", containerId: "f00" },
      subject: "openat",
      quality: [],
      result: -2n,
    },
    '{"metric":"METRIC_SYSCALL","time_ns":1700000000218000000,"latency_ns":11214000,"client_address":null,"client_port":null,' +
      '"server_address":null,"server_port":null,"interface":null,"quality":[],"result":-2,"subject":"openat",' +
      '"pid":12,"tid":13,"comm":"a\\"\\u001b","cgroup_id":7,"cgroup_path":"/x","container_id":"f00"}',
  ],
  [
    "everything of a flow, and values that a newer service knows",
    {
      metric: newer.metric,
      quality: [Quality.SYN_RETRANSMITTED, ...newer.quality],
      retries: 2,
      weight: 10,
      probe: 1,
      flow: aFlow({ measuredFromServer: true, openerUnknown: true, vlanId: 5, ttl: 64, protocol: newerFlow.protocol }),
    },
    '{"metric":"METRIC_99","time_ns":1700000000218000000,"latency_ns":11214000,"client_address":"10.0.0.7","client_port":51334,' +
      '"server_address":"142.250.74.46","server_port":443,"interface":"eth0","quality":["QUALITY_SYN_RETRANSMITTED","QUALITY_31"],"result":0,"subject":"",' +
      '"protocol":"IP_PROTOCOL_132","direction":"DIRECTION_OUTBOUND","measured_from_server":true,"opener_unknown":true,"vlan_id":5,"ttl":64,' +
      '"retries":2,"weight":10,"probe":1}',
  ],
])("%s", (_name, fields, expected) => {
  const line = sampleJson(aSample(fields));
  expect(line).toBe(expected);
  expect(() => JSON.parse(line) as unknown).not.toThrow();
});
