import { Direction, IpProtocol, Metric, Quality, SampleColumns } from "@latscope/proto";
import { expect, test } from "vitest";
import { aFlow, aSample } from "../testing/samples.js";
import { fromColumns } from "./columns.js";

const addresses = [Buffer.from([10, 0, 0, 7]), Buffer.from("20010db8000000000000000000000001", "hex")];

test("columns become the same samples as rows", () => {
  const columns = SampleColumns.fromPartial({
    baseTimeUnixNs: 1_000n,
    timeDeltaNs: [5n, -3n],
    latencyNs: [9_007_199_254_740_993n, 2n],
    metric: [Metric.TCP_RTT, Metric.SYSCALL],
    flow: [1, 0],
    process: [0, 1],
    subject: [0, 2],
    qualityMask: [(1 << Quality.TIMESTAMP_MATCHED) | (1 << Quality.MAY_INCLUDE_ACK_DELAY), 0],
    result: [0n, -2n],
    weight: [4, 0],
    probe: [0, 1],
    retries: [3, 0],
    flows: {
      addresses,
      client: [0],
      clientPort: [51334],
      server: [1],
      serverPort: [443],
      direction: [Direction.INBOUND],
      interface: [1],
      vlanId: [7],
      measuredFromServer: [true],
      protocol: [IpProtocol.TCP],
      networkNamespace: [4n],
      openerUnknown: [true],
      ttl: [64],
    },
    processes: [{ pid: 12, tid: 13, comm: "node" }],
    dictionary: ["eth0", "openat"],
  });
  expect([...fromColumns(columns)]).toEqual([
    aSample({
      timeNs: 1_005n,
      latencyNs: 9_007_199_254_740_993n,
      quality: [Quality.MAY_INCLUDE_ACK_DELAY, Quality.TIMESTAMP_MATCHED],
      weight: 4,
      retries: 3,
      flow: aFlow({
        serverAddress: "2001:db8::1",
        direction: Direction.INBOUND,
        vlanId: 7,
        measuredFromServer: true,
        networkNamespace: 4n,
        openerUnknown: true,
        ttl: 64,
      }),
    }),
    aSample({
      timeNs: 1_002n,
      latencyNs: 2n,
      metric: Metric.SYSCALL,
      quality: [],
      flow: undefined,
      process: { pid: 12, tid: 13, comm: "node", cgroupId: 0n, cgroupPath: "", containerId: "" },
      subject: "openat",
      result: -2n,
      probe: 1,
    }),
  ]);
});

test("empty arrays stand for defaults", () => {
  const columns = SampleColumns.fromPartial({
    baseTimeUnixNs: 9n,
    metric: [Metric.TCP_RTT, Metric.TCP_RTT],
    latencyNs: [1n, 2n],
    flow: [1, 1],
    flows: { addresses, client: [], clientPort: [1], server: [1], protocol: [IpProtocol.TCP] },
  });
  const flow = aFlow({
    clientPort: 1,
    serverAddress: "2001:db8::1",
    serverPort: 0,
    direction: Direction.UNSPECIFIED,
    interface: "",
  });
  expect([...fromColumns(columns)]).toEqual([
    aSample({ timeNs: 9n, latencyNs: 1n, quality: [], flow }),
    aSample({ timeNs: 9n, latencyNs: 2n, quality: [], flow }),
  ]);
});
