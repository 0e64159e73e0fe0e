import { status, type ServerWritableStream } from "@grpc/grpc-js";
import {
  EndReason,
  GetSessionResponse,
  Metric,
  SessionSpec,
  SessionState,
  StopSessionResponse,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from "@latscope/proto";
import { once } from "node:events";
import { expect, test } from "vitest";
import { latscope, RunningCommand } from "./testing/command.js";
import { endMessage, lossMessage, message, rowsMessage, startMessage } from "./testing/messages.js";
import { TestServer, type Answers } from "./testing/server.js";

type Stream = ServerWritableStream<StreamSamplesRequest, StreamSamplesResponse>;

const rttLine =
  '{"metric":"METRIC_TCP_RTT","time_ns":1700000000218000001,"latency_ns":9007199254740993,"client_address":"2001:db8::7","client_port":51334,' +
  '"server_address":"2001:db8::9","server_port":443,"interface":"eth0","quality":["QUALITY_TIMESTAMP_MATCHED"],"result":0,"subject":""}';
const refusedLine =
  '{"metric":"METRIC_TCP_CONNECT_FAILURE","time_ns":1700000001902000000,"latency_ns":412000,"client_address":"10.0.0.7","client_port":51344,' +
  '"server_address":"10.0.9.9","server_port":443,"interface":"eth0","quality":[],"result":111,"subject":"\\u001b[2J"}';
const header = "watching tcp on 3 interfaces, filter port 443 (session s-7f3a, ends with this command)";
const table = [
  "metric          count             min             p50             p90             p99             max",
  "rtt                 1  9007199254.741  9007199254.741  9007199254.741  9007199254.741  9007199254.741 ms",
  "connect failed      1           0.412           0.412           0.412           0.412           0.412 ms",
];
const books =
  "5 measured, 2 delivered, 3 lost (3 kernel ring full); 17 not reported because ambiguous (12 retransmitted, 5 reordered)";

const lines = (...text: string[]) => text.map((line) => `${line}\n`).join("");

/** A session of the stream's own, which ends when it is stopped. */
function inlineSession(...messages: StreamSamplesResponse[]): {
  answers: Answers;
  stops: string[];
  cancelled: Promise<unknown>;
} {
  const stops: string[] = [];
  let stream: Stream | undefined;
  let cancel: () => void;
  const cancelled = new Promise<void>((resolve) => (cancel = resolve));
  const answers: Answers = {
    samples: {
      streamSamples: (call: Stream) => {
        stream = call;
        call.on("cancelled", () => {
          cancel();
        });
        for (const each of [startMessage, ...messages]) call.write(each);
      },
    },
    sessions: {
      stopSession: ({ request }, callback) => {
        stops.push(request.name);
        callback(null, StopSessionResponse.fromPartial({}));
        stream?.write(message({ $case: "sessionChange", value: { state: SessionState.STOPPED, reason: "requested" } }));
        stream?.write(endMessage(EndReason.SESSION_STOPPED));
        stream?.end();
      },
    },
  };
  return { answers, stops, cancelled };
}

test("--json: integers exact, one object a line; the rest on stderr; Ctrl-C stops the session and sums up", async () => {
  const { answers, stops } = inlineSession(rowsMessage, lossMessage);
  using server = await TestServer.start(answers);
  const command = new RunningCommand(["stream", "--tcp", "--json", "--address", server.address]);
  await command.until(/CONNECT_FAILURE/);
  await command.until(/lost 3 samples/);
  command.process.kill("SIGINT");
  const { code, stdout, stderr } = await command.done;
  expect(stdout).toBe(lines(rttLine, refusedLine));
  expect(stderr).toBe(lines(header, "lost 3 samples: kernel ring full", ...table, books));
  expect(stops).toEqual(["sessions/s-7f3a"]);
  expect(code).toBe(0);
});

test("for a person: lines and summary on stdout, no colour in a pipe, no control characters", async () => {
  const { answers } = inlineSession(rowsMessage);
  using server = await TestServer.start(answers);
  const command = new RunningCommand(["stream", "--tcp"], { LATSCOPE_ADDRESS: server.address });
  await command.until(/refused/);
  command.process.kill("SIGTERM");
  const { code, stdout, stderr } = await command.done;
  expect(stdout).toBe(
    lines(
      "22:13:20.218  rtt             [2001:db8::7]:51334 -> [2001:db8::9]:443 9007199254.741 ms  eth0  ts",
      "22:13:21.902  connect failed  10.0.0.7:51344 -> 10.0.9.9:443              0.412 ms  eth0  \\x1b[2J, refused",
      ...table,
      books,
    ),
  );
  expect(stderr).toBe(lines(header));
  expect(code).toBe(0);
});

test("the same Ctrl-C twice, as npm passes it on, is one", async () => {
  const { answers, stops } = inlineSession(rowsMessage);
  using server = await TestServer.start(answers);
  const command = new RunningCommand(["stream", "--tcp", "--address", server.address]);
  await command.until(/refused/);
  command.process.kill("SIGINT");
  command.process.kill("SIGINT");
  expect(await command.done).toMatchObject({ code: 0, stdout: expect.stringContaining(books) as string });
  expect(stops).toHaveLength(1);
});

test("under npm, the end of the shell between is an interrupt", async () => {
  const { answers, stops } = inlineSession(rowsMessage);
  using server = await TestServer.start(answers);
  const shell = ["sh", "-c", '"$@"; true', "sh"];
  const command = new RunningCommand(["stream", "--tcp", "--address", server.address], { npm_command: "exec" }, shell);
  await command.until(/refused/);
  command.process.kill("SIGTERM");
  expect(await command.done).toMatchObject({ signal: "SIGTERM", stdout: expect.stringContaining(books) as string });
  expect(stops).toHaveLength(1);
});

test("a service that does not answer the stop is given up, and the summary says what is not known", async () => {
  const { answers, cancelled } = inlineSession(rowsMessage);
  using server = await TestServer.start({ ...answers, sessions: { stopSession: () => undefined } });
  const command = new RunningCommand(["stream", "--tcp", "--json", "--address", server.address]);
  await command.until(/CONNECT_FAILURE/);
  command.process.kill("SIGINT");
  const { code, stderr } = await command.done;
  await cancelled;
  expect(stderr).toBe(lines(header, ...table, "2 delivered, 0 lost; the service's own totals did not come"));
  expect(code).toBe(0);
});

test("a second Ctrl-C ends at once", async () => {
  const { answers } = inlineSession(rowsMessage);
  using server = await TestServer.start({
    ...answers,
    sessions: {
      stopSession: () => {
        // The stop is under way for as long as the second one needs to count as such.
        setTimeout(() => command.process.kill("SIGINT"), 400);
      },
    },
  });
  const command = new RunningCommand(["stream", "--tcp", "--address", server.address]);
  await command.until(/refused/);
  command.process.kill("SIGINT");
  expect(await command.done).toMatchObject({ code: 130, stdout: expect.not.stringContaining("delivered") as string });
});

test("a reader that leaves ends the command quietly and the call with it", async () => {
  let written = 0;
  const { answers, cancelled } = inlineSession();
  const { streamSamples } = answers.samples ?? {};
  using server = await TestServer.start({
    samples: {
      streamSamples: (call: Stream) => {
        streamSamples?.(call);
        const more = () => {
          while (!call.cancelled && call.write(rowsMessage)) written += 1;
          call.once("drain", more);
        };
        more();
      },
    },
  });
  const command = new RunningCommand(["stream", "--tcp", "--json", "--address", server.address]);
  await once(command.process.stdout, "data");
  command.process.stdout.destroy();
  expect(await command.done).toMatchObject({ code: 0, stderr: lines(header) });
  await cancelled;
  expect(written).toBeGreaterThan(0);
});

test("a session of others: its filters are the reader's, Ctrl-C leaves it alone and asks for its totals", async () => {
  let request: StreamSamplesRequest | undefined;
  const end = endMessage(EndReason.SESSION_STOPPED).event;
  const totals = end?.$case === "end" ? end.value.sessionTotals : undefined;
  using server = await TestServer.start({
    samples: {
      streamSamples: (call: Stream) => {
        request = call.request;
        for (const each of [startMessage, rowsMessage, lossMessage]) call.write(each);
      },
    },
    sessions: {
      getSession: (_call, callback) => {
        callback(null, GetSessionResponse.fromPartial({ session: { stats: { totals: totals ?? {} } } }));
      },
    },
  });
  const args = [
    "--session",
    "edge",
    "--min-latency",
    "1ms",
    "--metric",
    "rtt",
    "--from",
    "oldest",
    "--encoding",
    "columns",
    "--limit",
    "9",
  ];
  const command = new RunningCommand(["stream", "--json", "--address", server.address, ...args]);
  await command.until(/lost 3/);
  command.process.kill("SIGINT");
  const { code, stderr } = await command.done;
  expect(stderr.split("\n").at(-2)).toBe(books);
  expect(code).toBe(0);
  expect(request).toMatchObject({
    source: { $case: "session", value: "sessions/edge" },
    start: { $case: "position", value: 2 },
    filters: [{ metrics: [Metric.TCP_RTT], minLatency: { seconds: 0n, nanos: 1_000_000 } }],
    encoding: 2,
    maxSamples: 9n,
  });
});

test("an end that nobody asked for is said", async () => {
  using server = await TestServer.start({
    samples: {
      streamSamples: (call: Stream) => {
        for (const each of [
          startMessage,
          message({ $case: "sessionChange", value: { state: SessionState.DEGRADED, reason: "eth1 is gone" } }),
        ])
          call.write(each);
        call.write(endMessage(EndReason.DRAINING));
        call.end();
      },
    },
  });
  const { code, stdout, stderr } = await latscope(["stream", "--tcp", "--json", "--address", server.address]);
  expect(stderr).toBe(lines(header, "the session is degraded: eth1 is gone", "the service is shutting down", books));
  expect(stdout).toBe("");
  expect(code).toBe(0);
});

test("a session that failed is a failure", async () => {
  using server = await TestServer.start({
    samples: {
      streamSamples: (call: Stream) => {
        call.write(startMessage);
        call.write(endMessage(EndReason.SESSION_FAILED));
        call.end();
      },
    },
  });
  expect(await latscope(["stream", "--tcp", "--address", server.address])).toMatchObject({
    code: 1,
    stderr: lines(header, "the session failed"),
  });
});

test("a stream that just ends, without the service's last word", async () => {
  using server = await TestServer.start({
    samples: {
      streamSamples: (call: Stream) => {
        call.write(startMessage);
        call.end();
      },
    },
  });
  const { code, stdout, stderr } = await latscope(["stream", "--tcp", "--address", server.address]);
  expect(stdout).toBe(lines("0 delivered, 0 lost; the service's own totals did not come"));
  expect(stderr).toBe(lines(header, "the stream stopped without saying why"));
  expect(code).toBe(1);
});

test("a stream that breaks off sums up what came, then says why", async () => {
  using server = await TestServer.start({
    samples: {
      streamSamples: (call: Stream) => {
        call.write(startMessage);
        call.write(rowsMessage);
        call.emit("error", { code: status.RESOURCE_EXHAUSTED, details: "this reader is too slow" });
      },
    },
  });
  const { code, stderr } = await latscope(["stream", "--tcp", "--json", "--address", server.address]);
  expect(stderr).toBe(
    lines(
      header,
      ...table,
      "2 delivered, 0 lost; the service's own totals did not come",
      "latscope: RESOURCE_EXHAUSTED: this reader is too slow",
    ),
  );
  expect(code).toBe(1);
});

test("the spec that flags ask for arrives", async () => {
  let request: StreamSamplesRequest | undefined;
  using server = await TestServer.start({
    samples: {
      streamSamples: (call: Stream) => {
        request = call.request;
        call.write(startMessage);
        call.write(endMessage(EndReason.READER_LIMIT));
        call.end();
      },
    },
  });
  const { code } = await latscope([
    "--address",
    server.address,
    "stream",
    "--tcp",
    "--port",
    "443",
    "--interface",
    "eth0",
  ]);
  expect(code).toBe(0);
  expect(request?.source).toEqual({
    $case: "spec",
    value: SessionSpec.fromPartial({
      probes: [{ kind: { $case: "tcp", value: {} } }],
      filters: [{ ports: [{ first: 443, last: 443 }] }],
      interfaces: ["eth0"],
    }),
  });
});
