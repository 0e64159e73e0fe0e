import { status, type ServerWritableStream } from "@grpc/grpc-js";
import {
  Collection,
  EndReason,
  GetSessionResponse,
  GetSnapshotResponse,
  GroupBy,
  Metric,
  NodeState,
  SessionSpec,
  StopSessionResponse,
  type GetSnapshotRequest,
  type StreamHistogramsRequest,
  type StreamHistogramsResponse,
} from "@latscope/proto";
import { describe, expect, test } from "vitest";
import { latscope, RunningCommand } from "./testing/command.js";
import { batch, groupOf, histogramEnd, histogramMessage } from "./testing/histograms.js";
import { TestServer, type Answers } from "./testing/server.js";

type Stream = ServerWritableStream<StreamHistogramsRequest, StreamHistogramsResponse>;

const lines = (...text: string[]) => text.map((line) => `${line}\n`).join("");
const spec = { probes: [{ kind: { $case: "tcp" as const, value: {} } }], interfaces: ["eth0"] };
const start = histogramMessage({ $case: "start", value: { effectiveSpec: spec } });
const header = "watching tcp on eth0 (session s-7f3a, ends with this command)";
const other = { ...groupOf("", [1n]), group: { metric: Metric.TCP_RTT, keys: {}, other: true, probe: 0 } };

/** A session of the stream's own: its messages, what follows when it is stopped, and what it was asked. */
function ownSession(messages: readonly StreamHistogramsResponse[], last: readonly StreamHistogramsResponse[]) {
  const requests: StreamHistogramsRequest[] = [];
  const stops: string[] = [];
  let stream: Stream | undefined;
  const answers: Answers = {
    samples: {
      streamHistograms: (call: Stream) => {
        requests.push(call.request);
        stream = call;
        for (const each of [start, ...messages]) call.write(each);
      },
    },
    sessions: {
      stopSession: ({ request }, callback) => {
        stops.push(request.name);
        callback(null, StopSessionResponse.fromPartial({}));
        for (const each of last) stream?.write(each);
        stream?.end();
      },
    },
  };
  return { answers, requests, stops };
}

describe("latscope histogram", () => {
  test("a table for each interval with something in it, all together after Ctrl-C", async () => {
    const known = { minNs: 1_100_000n, maxNs: 1_400_000n };
    const { answers, stops } = ownSession(
      [
        batch([groupOf("443", [1n, 2n, 0n, 1n], known), groupOf("53", [1n])]),
        batch([], 1n),
        batch([groupOf("443", [0n, 8n])], 2n, 3n, true),
        batch([other], 2n),
      ],
      [batch([groupOf("443", [1n])], 3n), histogramEnd(EndReason.SESSION_STOPPED, 15n, 17n)],
    );
    using server = await TestServer.start(answers);
    const command = new RunningCommand(["histogram", "--tcp", "--address", server.address]);
    await command.until(/\(other\)/);
    command.process.kill("SIGINT");
    const { code, stdout, stderr } = await command.done;
    expect(stdout).toBe(
      lines(
        "22:13:20.000 to 22:13:21.000",
        "metric  server port  count     min    p50    p90    p99     max",
        "rtt     443              4   1.100  1.247  1.400  1.400   1.400 ms",
        "rtt     53               1  ~1.143  1.143  1.143  1.143  ~1.143 ms",
        "",
        "22:13:22.000 to 22:13:23.000",
        "metric  server port  count     min    p50    p90    p99     max",
        "rtt     443              8  ~1.247  1.247  1.247  1.247  ~1.247 ms",
        "rtt     (other)          1  ~1.143  1.143  1.143  1.143  ~1.143 ms",
        "",
        "22:13:23.000 to 22:13:24.000",
        "metric  server port  count     min    p50    p90    p99     max",
        "rtt     443              1  ~1.143  1.143  1.143  1.143  ~1.143 ms",
        "",
        "metric  server port  count     min    p50    p90    p99     max",
        "rtt     443             13  ~1.143  1.247  1.247  1.483  ~1.483 ms",
        "rtt     53               1  ~1.143  1.143  1.143  1.143  ~1.143 ms",
        "rtt     (other)          1  ~1.143  1.143  1.143  1.143  ~1.143 ms",
        "17 measured, 15 in these histograms, 2 lost (2 kernel map full); 0 not reported because ambiguous",
      ),
    );
    expect(stderr).toBe(lines(header));
    expect([code, stops]).toEqual([0, ["sessions/s-7f3a"]]);
  });

  test("--json: a batch a line, integers exact; the rest on stderr", async () => {
    const large = { sumNs: 18_446_744_073_709_551_615n, minNs: 9_007_199_254_740_993n };
    const { answers } = ownSession(
      [batch([groupOf("443", [9_007_199_254_740_993n], large)])],
      [histogramEnd(EndReason.SESSION_STOPPED, 9_007_199_254_740_993n)],
    );
    using server = await TestServer.start(answers);
    const command = new RunningCommand(["histogram", "--tcp", "--json", "--address", server.address]);
    await command.until(/"groups"/);
    command.process.kill("SIGTERM");
    const { code, stdout, stderr } = await command.done;
    expect(stdout).toBe(
      '{"start_time":"2023-11-14T22:13:20Z","end_time":"2023-11-14T22:13:21Z","groups":[{"group":{"metric":"METRIC_TCP_RTT",' +
        '"keys":{"server_port":"443"},"other":false,"probe":0},"histogram":{"scale":3,"offset":160,"counts":[9007199254740993],' +
        '"zero_count":0,"count":9007199254740993,"sum_ns":18446744073709551615,"min_ns":9007199254740993,"overflow_count":0}}],"more":false}\n',
    );
    expect(stderr).toContain("9007199254740993 in these histograms, 0 lost");
    expect(code).toBe(0);
  });

  test("--cumulative: a table when there is more than before, and no second one at the end", async () => {
    const { answers, requests } = ownSession(
      [batch([groupOf("443", [1n])], 0n, 1n), batch([groupOf("443", [1n])], 0n, 2n)],
      [batch([groupOf("443", [3n])], 0n, 3n), histogramEnd(EndReason.SESSION_STOPPED, 3n)],
    );
    using server = await TestServer.start(answers);
    const command = new RunningCommand(["histogram", "--tcp", "--cumulative", "--address", server.address]);
    await command.until(/443/);
    command.process.kill("SIGINT");
    expect((await command.done).stdout).toBe(
      lines(
        "22:13:20.000 to 22:13:21.000",
        "metric  server port  count     min    p50    p90    p99     max",
        "rtt     443              1  ~1.143  1.143  1.143  1.143  ~1.143 ms",
        "",
        "22:13:20.000 to 22:13:23.000",
        "metric  server port  count     min    p50    p90    p99     max",
        "rtt     443              3  ~1.143  1.143  1.143  1.143  ~1.143 ms",
        "3 measured, 3 in these histograms, 0 lost; 0 not reported because ambiguous",
      ),
    );
    expect(requests[0]?.cumulative).toBe(true);
  });

  test("a session of others is left alone and asked for its totals; its groups by fewer keys", async () => {
    let request: StreamHistogramsRequest | undefined;
    using server = await TestServer.start({
      samples: {
        streamHistograms: (call: Stream) => {
          request = call.request;
          for (const each of [start, batch([groupOf("443", [2n])])]) call.write(each);
        },
      },
      sessions: {
        getSession: (_call, callback) => {
          callback(null, GetSessionResponse.fromPartial({ session: { stats: { totals: { measured: 9n } } } }));
        },
      },
    });
    const flags = ["--session", "edge", "--group-by", "server_port,client-prefix", "--interval", "250ms"];
    const command = new RunningCommand(["histogram", ...flags, "--max-groups", "7", "--address", server.address]);
    await command.until(/443/);
    command.process.kill("SIGINT");
    const { code, stdout } = await command.done;
    expect(stdout.split("\n").at(-2)).toBe(
      "9 measured, 2 in these histograms, 0 lost; 0 not reported because ambiguous",
    );
    expect(code).toBe(0);
    expect(request).toMatchObject({
      source: { $case: "session", value: "sessions/edge" },
      interval: { seconds: 0n, nanos: 250_000_000 },
      groupBy: [GroupBy.SERVER_PORT, GroupBy.CLIENT_PREFIX],
      maxGroups: 7,
      cumulative: false,
    });
  });

  test("a session of its own counts in histograms only, with room for the groups asked for", async () => {
    const { answers, requests } = ownSession([histogramEnd(EndReason.SESSION_STOPPED, 0n)], []);
    using server = await TestServer.start(answers);
    const flags = ["--tcp", "--port", "443", "--group-by", "server-port", "--group-by", "result"];
    expect(await latscope(["histogram", ...flags, "--max-groups", "2000", "--address", server.address])).toMatchObject({
      code: 0,
      stderr: lines(header, "the session was stopped"),
    });
    expect(requests[0]?.source).toEqual({
      $case: "spec",
      value: SessionSpec.fromPartial({
        probes: [{ kind: { $case: "tcp", value: {} } }],
        filters: [{ ports: [{ first: 443, last: 443 }] }],
        collection: Collection.fromPartial({
          histogramsOnly: true,
          groupBy: [GroupBy.SERVER_PORT, GroupBy.RESULT],
          maxGroups: 2000,
        }),
      }),
    });
  });
});

describe("latscope snapshot", () => {
  const total = {
    startTime: { seconds: 1_700_000_000n, nanos: 0 },
    endTime: { seconds: 1_700_000_002n, nanos: 500_000_000 },
    stats: { totals: { measured: 9_007_199_254_740_995n, delivered: 2n, aggregatedOnly: 9_007_199_254_740_993n } },
  };
  const group = { metric: 3, keys: { client_prefix: "10.0.0.0/24", server_port: "443", future: "\x1b[2J" } };
  const summary = {
    group,
    count: 9_007_199_254_740_993n,
    minSeconds: 0.000212,
    meanSeconds: 0.0112,
    maxSeconds: 0.088132,
    quantiles: [
      { quantile: 0.5, latencySeconds: 0.01124 },
      { quantile: 0.999, latencySeconds: 0.08 },
    ],
  };
  const noQuantile = { group: { metric: 3, probe: 1, other: true }, count: 2n, meanSeconds: 1, quantiles: [] };

  test("a row a group; what it is of; the session's books", async () => {
    const requests: GetSnapshotRequest[] = [];
    using server = await TestServer.start({
      samples: {
        getSnapshot: ({ request }, callback) => {
          requests.push(request);
          callback(null, GetSnapshotResponse.fromPartial({ ...total, groups: [summary, noQuantile], totalGroups: 5 }));
        },
      },
    });
    const flags = ["--quantiles", "0.5,0.999", "--top", "2", "--order-by", "max", "--window", "5m", "--ungrouped"];
    expect(await latscope(["snapshot", "edge", ...flags, "--address", server.address])).toEqual({
      code: 0,
      signal: null,
      stdout: lines(
        "metric  probe  client prefix  server port  future              count    min      mean     p50   p99.9     max",
        "rtt     0      10.0.0.0/24    443          \\x1b[2J  9007199254740993  0.212    11.200  11.240  80.000  88.132 ms",
        "rtt     1      (other)                                             2      -  1000.000       -       -       - ms",
        "2 of 5 groups of 22:13:20.000 to 22:13:22.500 (2.50 s)",
        "since it began: 9007199254740995 measured, 2 delivered, 9007199254740993 in histograms only, 0 lost; 0 not reported because ambiguous",
      ),
      stderr: "",
    });
    expect(requests).toMatchObject([
      {
        session: "sessions/edge",
        quantiles: [0.5, 0.999],
        top: 2,
        orderBy: "max_seconds",
        window: { seconds: 300n, nanos: 0 },
        groupBy: [],
        ungrouped: true,
      },
    ]);
  });

  test("--json: whole, integers exact; a node that failed is said, and the code is 1", async () => {
    const failures = [{ node: "nodes/b", state: NodeState.FAILED, reason: "no answer" }];
    using server = await TestServer.start({
      samples: {
        getSnapshot: (_call, callback) => {
          callback(null, GetSnapshotResponse.fromPartial({ ...total, groups: [summary], failures }));
        },
      },
    });
    const { code, stdout, stderr } = await latscope(["snapshot", "edge", "--json", "--address", server.address]);
    expect(stdout).toMatch(
      /^{"start_time":"2023-11-14T22:13:20Z",.*"count":9007199254740993,"min_seconds":0.000212,.*}\n$/,
    );
    expect(JSON.parse(stdout)).toMatchObject({
      groups: [{ quantiles: [{ quantile: 0.5, latency_seconds: 0.01124 }, {}] }],
    });
    expect([code, stderr]).toEqual([1, "latscope: nodes/b is failed: no answer\n"]);
  });

  test("a session that is not there", async () => {
    using server = await TestServer.start({
      samples: {
        getSnapshot: (_call, callback) => {
          callback({ code: status.NOT_FOUND, details: "there is no session sessions/edge" });
        },
      },
    });
    expect(await latscope(["snapshot", "edge", "--address", server.address])).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "latscope: NOT_FOUND: there is no session sessions/edge\n",
    });
  });
});
