import { Metric, Quality } from "@latscope/proto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aFlow, aSample } from "../testing/samples.js";
import { SampleLines } from "./line.js";
import { noPaint, paintFor } from "./paint.js";

const zone = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "UTC";
});
afterAll(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

const task = { pid: 1234, tid: 1240, comm: "node", cgroupId: 0n, cgroupPath: "", containerId: "" };

test.each([
  ["an RTT", {}, "22:13:20.218  rtt             10.0.0.7:51334 -> 142.250.74.46:443     11.214 ms  eth0  seq"],
  [
    "a refused connection",
    {
      metric: Metric.TCP_CONNECT_FAILURE,
      latencyNs: 412_000n,
      result: 111n,
      quality: [],
      flow: aFlow({ serverAddress: "10.0.9.9" }),
    },
    "22:13:20.218  connect failed  10.0.0.7:51334 -> 10.0.9.9:443           0.412 ms  eth0  refused",
  ],
  [
    "a handshake that took three SYNs",
    {
      metric: Metric.TCP_HANDSHAKE_REMOTE,
      quality: [Quality.SYN_RETRANSMITTED],
      retries: 2,
      latencyNs: 3_011_902_000n,
    },
    "22:13:20.218  handshake       10.0.0.7:51334 -> 142.250.74.46:443   3011.902 ms  eth0  retransmitted 2",
  ],
  [
    "a DNS reply",
    { metric: Metric.DNS_REPLY, subject: "nx.example.com", result: 3n, quality: [], flow: aFlow({ serverPort: 53 }) },
    "22:13:20.218  dns reply       10.0.0.7:51334 -> 142.250.74.46:53      11.214 ms  eth0  nx.example.com, NXDOMAIN",
  ],
  [
    "an echo has no ports",
    { metric: Metric.ICMP_ECHO, quality: [], flow: aFlow({ clientPort: 0, serverPort: 0 }) },
    "22:13:20.218  icmp echo       10.0.0.7 -> 142.250.74.46               11.214 ms  eth0",
  ],
  [
    "a syscall of a task",
    {
      metric: Metric.SYSCALL,
      flow: undefined,
      process: task,
      subject: "openat",
      quality: [],
      result: -2n,
      latencyNs: 8_499n,
    },
    "22:13:20.218  syscall         node[1234] openat                        0.008 ms  ENOENT",
  ],
  [
    "all that can be noted of a flow",
    {
      quality: [Quality.MAY_INCLUDE_ACK_DELAY, Quality.INCLUDES_LOCAL_HOST, Quality.TIMESTAMP_MATCHED],
      weight: 10,
      flow: aFlow({ vlanId: 5, openerUnknown: true }),
    },
    "22:13:20.218  rtt             10.0.0.7:51334 -> 142.250.74.46:443     11.214 ms  eth0  ack delay, local, ts, one of 10, vlan 5, joined midway",
  ],
  [
    "hostile names",
    { metric: Metric.DNS_REPLY, subject: "\x1b]0;x\x07", quality: [], flow: aFlow({ interface: "e\n0" }) },
    "22:13:20.218  dns reply       10.0.0.7:51334 -> 142.250.74.46:443     11.214 ms  e\\x0a0  \\x1b]0;x\\x07",
  ],
])("%s", (_name, fields, expected) => {
  expect(new SampleLines(noPaint).line(aSample(fields))).toBe(expected);
});

describe("the column of endpoints", () => {
  const v6 = aFlow({ clientAddress: "2001:db8:1111:2222:3333::7", serverAddress: "2001:db8:1111:2222:3333::9" });

  test("grows to the widest seen, IPv6 in brackets", () => {
    const lines = new SampleLines(noPaint);
    expect(lines.line(aSample({ flow: v6 }))).toBe(
      "22:13:20.218  rtt             [2001:db8:1111:2222:3333::7]:51334 -> [2001:db8:1111:2222:3333::9]:443   11.214 ms  eth0  seq",
    );
    expect(lines.line(aSample())).toBe(
      "22:13:20.218  rtt             10.0.0.7:51334 -> 142.250.74.46:443                                      11.214 ms  eth0  seq",
    );
  });
});

test("colour", () => {
  const lines = new SampleLines(paintFor({ isTTY: true }, {}));
  expect(lines.line(aSample({ metric: Metric.TCP_CONNECT_FAILURE, result: 111n, quality: [] }))).toBe(
    "\x1b[2m22:13:20.218\x1b[22m  \x1b[31mconnect failed \x1b[39m 10.0.0.7:51334 -> 142.250.74.46:443   \x1b[1m  11.214 ms\x1b[22m  eth0  \x1b[2mrefused\x1b[22m",
  );
});
