import { writeFile } from "node:fs/promises";

import { beforeEach, describe, expect, test } from "vitest";

import { pcap, type CapturedSegment } from "../harness/capture.js";
import { run, type Outcome } from "../harness/command.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { LATSCOPE, temporaryFolder } from "../harness/service.js";

const CLIENT = ["10.0.0.1", 40_000] as const;
const SERVER = ["10.0.0.2", 80] as const;

/** Handshake halves of 10 and 1 ms, a round trip of 30 ms, and a segment that is sent twice. */
const CONVERSATION: readonly CapturedSegment[] = [
  { atUs: 0, from: CLIENT, to: SERVER, seq: 100, syn: true },
  { atUs: 10_000, from: SERVER, to: CLIENT, seq: 500, ack: 101, syn: true },
  { atUs: 11_000, from: CLIENT, to: SERVER, seq: 101, ack: 501 },
  { atUs: 20_000, from: CLIENT, to: SERVER, seq: 101, ack: 501, payload: "question" },
  { atUs: 50_000, from: SERVER, to: CLIENT, seq: 501, ack: 109 },
  { atUs: 60_000, from: CLIENT, to: SERVER, seq: 109, ack: 501, payload: "another" },
  { atUs: 70_000, from: CLIENT, to: SERVER, seq: 109, ack: 501, payload: "another" },
  { atUs: 80_000, from: SERVER, to: CLIENT, seq: 501, ack: 116 },
];

const FLOW =
  '"client_address":"10.0.0.1","client_port":40000,"server_address":"10.0.0.2","server_port":80,"interface":""';
const LINES = [
  `{"metric":"METRIC_TCP_HANDSHAKE_REMOTE","time_ns":1700000000010000000,"latency_ns":10000000,${FLOW},"quality":[],"result":0,"subject":"","protocol":"IP_PROTOCOL_TCP","direction":"DIRECTION_OUTBOUND","ttl":64}`,
  `{"metric":"METRIC_TCP_HANDSHAKE_LOCAL","time_ns":1700000000011000000,"latency_ns":1000000,${FLOW},"quality":["QUALITY_INCLUDES_LOCAL_HOST"],"result":0,"subject":"","protocol":"IP_PROTOCOL_TCP","direction":"DIRECTION_OUTBOUND","measured_from_server":true,"ttl":64}`,
  `{"metric":"METRIC_TCP_RTT","time_ns":1700000000050000000,"latency_ns":30000000,${FLOW},"quality":["QUALITY_SEQUENCE_MATCHED"],"result":0,"subject":"","protocol":"IP_PROTOCOL_TCP","direction":"DIRECTION_OUTBOUND","ttl":64}`,
];
const BOOKS =
  "8 packets in 80.000 ms, 3 measured, 2 not reported because ambiguous (1 retransmitted, 1 no end seen), 0 packets not parsed";
const TABLE = [
  "metric           count     min     p50     p90     p99     max",
  "handshake            1  10.000  10.000  10.000  10.000  10.000 ms",
  "handshake local      1   1.000   1.000   1.000   1.000   1.000 ms",
  "rtt                  1  30.000  30.000  30.000  30.000  30.000 ms",
];

function replay(...args: readonly string[]): Promise<Outcome> {
  return run([...LATSCOPE, "replay", ...args], { env: { ...process.env, TZ: "UTC" } });
}

const text = (...lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

describe("latscope replay", () => {
  const scope = scopeOfEachTest();
  let folder = "";

  beforeEach(async () => {
    folder = await temporaryFolder(scope);
  });

  async function written(name: string, bytes: Buffer): Promise<string> {
    const path = `${folder}/${name}`;
    await writeFile(path, bytes);
    return path;
  }

  test("--json: the samples alone on stdout, in the capture's time; the books on stderr", async () => {
    const file = await written("a.pcap", pcap(CONVERSATION));
    expect(await replay(file, "--json")).toEqual({
      code: 0,
      signal: null,
      stdout: text(...LINES),
      stderr: text(BOOKS),
    });
  });

  test("a person gets the summary", async () => {
    const file = await written("a.pcap", pcap(CONVERSATION));
    expect(await replay(file)).toEqual({ code: 0, signal: null, stdout: text(...TABLE, BOOKS), stderr: "" });
  });

  test("--samples: a line for each before it", async () => {
    const file = await written("a.pcap", pcap(CONVERSATION));
    const { stdout } = await replay(file, "--samples");
    const lines = stdout.split("\n");
    expect(lines).toHaveLength(LINES.length + TABLE.length + 2);
    expect(lines[2]).toBe("22:13:20.050  rtt             10.0.0.1:40000 -> 10.0.0.2:80           30.000 ms  seq");
  });

  test("each file starts afresh; a bad one spoils no other", async () => {
    const whole = pcap(CONVERSATION);
    const files = [
      await written("a.pcap", whole),
      await written("cut.pcap", whole.subarray(0, whole.length - 1)),
      await written("none.pcap", Buffer.from("no capture")),
      await written("wifi.pcap", pcap(CONVERSATION, 105)),
      await written("b.pcap", whole),
    ] as const;
    const { code, stdout, stderr } = await replay("--json", ...files);
    expect(code).toBe(1);
    expect(stdout).toBe(text(...LINES, ...LINES, ...LINES));
    const [a, cut, none, wifi, b] = files;
    const cutBooks = BOOKS.replace("8 packets in 80", "7 packets in 70");
    expect(stderr).toBe(
      text(
        `latscope: ${cut}: packet 8: the file ends after 39 of 40 bytes`,
        `latscope: ${none}: is no pcap or pcapng file`,
        `latscope: ${wifi}: is of link type 105 (IEEE 802.11); Ethernet, Linux cooked v1 and v2, raw IP, null/loopback and PPP are read`,
        `${a}: ${BOOKS}`,
        `${cut}: ${cutBooks}`,
        `${wifi}: 8 packets in 80.000 ms, 0 measured, 0 not reported because ambiguous, 8 packets not parsed (8 link type 105 (IEEE 802.11))`,
        `${b}: ${BOOKS}`,
      ),
    );
  });

  test("--local tells the direction, and changes no value", async () => {
    const file = await written("a.pcap", pcap(CONVERSATION));
    const { stdout } = await replay(file, "--json", "--local", "10.0.0.2,fd00::/8");
    const samples = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { latency_ns: number; direction: string });
    expect(samples.map(({ latency_ns }) => latency_ns)).toEqual([10_000_000, 1_000_000, 30_000_000]);
    expect(new Set(samples.map(({ direction }) => direction))).toEqual(new Set(["DIRECTION_INBOUND"]));
  });

  test.each([
    [[], "missing required argument 'file'"],
    [["a.pcap", "--tunnels", "both"], "Allowed choices are inner, outer."],
    [["a.pcap", "--local", "host"], "It must be an address or a CIDR"],
  ])("wrong usage %j", async (args, complaint) => {
    const { code, stdout, stderr } = await replay(...args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(complaint);
  });

  test("without privileges: one sentence that names them", async () => {
    const file = await written("a.pcap", pcap(CONVERSATION));
    const drop = ["setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin", "--"];
    expect(await run([...drop, ...LATSCOPE, "replay", file])).toEqual({
      code: 1,
      signal: null,
      stdout: "",
      stderr: text(
        "latscope: replay runs eBPF programs and lacks CAP_BPF, CAP_PERFMON: run it as root, or give it these capabilities",
      ),
    });
  });
});
