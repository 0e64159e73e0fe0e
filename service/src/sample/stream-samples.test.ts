import { status } from "@grpc/grpc-js";
import { CreateSessionRequest, EndReason, StreamSamplesRequest, type StreamSamplesResponse } from "@latscope/proto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { addonError, type SessionDouble } from "../testing/collector-double.js";
import { Inbox } from "../testing/inbox.js";
import { summaryOf } from "../testing/status-details.js";
import { startTestServer, unary, type TestServer } from "../testing/test-server.js";

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer({ maxStreams: "2" });
});
afterEach(async () => {
  await server.stop();
});

const spec = { probes: [{ kind: { $case: "tcp" as const, value: {} } }] };
type Request = Parameters<typeof StreamSamplesRequest.fromPartial>[0];

function open(request: Request): Inbox<StreamSamplesResponse> {
  return new Inbox(server.samples.streamSamples(StreamSamplesRequest.fromPartial(request)));
}
const own = (more: Request = {}) => open({ source: { $case: "spec", value: spec }, ...more });
const follow = (session: string, more: Request = {}) => open({ source: { $case: "session", value: session }, ...more });
const createSession = (sessionId: string) =>
  unary((done) =>
    server.sessions.createSession(CreateSessionRequest.fromPartial({ sessionId, session: { spec } }), done),
  );
const onlySession = (): SessionDouble => [...server.collector.sessions.values()][0] ?? expect.fail();
const readersClosed = (session: SessionDouble) =>
  vi.waitFor(() => {
    expect(session.readers.every(({ closed }) => closed)).toBe(true);
  });

describe("StreamSamples with a spec", () => {
  it("makes a session that ends with the stream", async () => {
    const inbox = own();
    const start = await inbox.next();
    expect(start).toMatchObject({ node: "nodes/test", event: { $case: "start" } });
    expect(start.session).toMatch(/^sessions\/s-/);
    const session = onlySession();
    inbox.stream.cancel();
    await vi.waitFor(() => {
      expect(session).toMatchObject({ stopped: EndReason.SESSION_STOPPED, closed: true });
    });
    await readersClosed(session);
  });

  it("outlives a broken stream by linger, and another can take it up", async () => {
    const first = own({ linger: { seconds: 3600n } });
    const { session: name } = await first.next();
    first.stream.cancel();
    await readersClosed(onlySession());
    const second = follow(name);
    expect(await second.next()).toMatchObject({ session: name });
    expect(onlySession().stopped).toBeUndefined();
    second.stream.cancel();
  });

  it("can be taken up by a reader that was cut off for being slow", async () => {
    const first = own({ linger: { seconds: 3600n } });
    const { session: name } = await first.next();
    onlySession().readers[0]?.fail(addonError("RESOURCE_EXHAUSTED", "READER_TOO_SLOW", "reader", "fell behind"));
    expect(summaryOf(await first.ended)).toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: "READER_TOO_SLOW" });
    const second = follow(name);
    expect(await second.next()).toMatchObject({ session: name });
    second.stream.cancel();
  });

  it("does not outlive a stream that came to its end", async () => {
    const inbox = own({ linger: { seconds: 3600n } });
    await inbox.next();
    onlySession().readers[0]?.end(EndReason.READER_LIMIT);
    expect(await inbox.next()).toMatchObject({ event: { $case: "end", value: { reason: EndReason.READER_LIMIT } } });
    expect((await inbox.ended).code).toBe(status.OK);
    expect(onlySession().closed).toBe(true);
  });

  it("makes no session when the collector refuses the reader", async () => {
    expect(summaryOf(await own({ filters: [{}] }).ended)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      fields: ["filters[0]"],
    });
    expect(server.collector.sessions.size).toBe(0);
  });

  it("refuses an empty spec by its path", async () => {
    const inbox = open({ source: { $case: "spec", value: {} } });
    expect(summaryOf(await inbox.ended)).toEqual({
      code: status.INVALID_ARGUMENT,
      reason: "FIELD_REQUIRED",
      fields: ["spec.probes"],
    });
  });
});

describe("StreamSamples with a session", () => {
  it("follows it to its end and leaves it alone", async () => {
    await createSession("a");
    const inbox = follow("sessions/a");
    await inbox.next();
    onlySession().readers[0]?.push({ event: { $case: "rows", value: { samples: [{ subject: "x" }] } } });
    expect(await inbox.next()).toMatchObject({
      session: "sessions/a",
      event: { $case: "rows", value: { samples: [{ subject: "x" }] } },
    });
    inbox.stream.cancel();
    await readersClosed(onlySession());
    expect(onlySession().stopped).toBeUndefined();
  });

  it("says why it ends when the session is stopped or deleted", async () => {
    await createSession("a");
    const inbox = follow("sessions/a");
    await inbox.next();
    await unary((done) => server.sessions.stopSession({ name: "sessions/a", etag: "" }, done));
    expect(await inbox.next()).toMatchObject({ event: { $case: "end", value: { reason: EndReason.SESSION_STOPPED } } });
    expect((await inbox.ended).code).toBe(status.OK);
  });

  it.each([
    [{}, status.INVALID_ARGUMENT, "FIELD_REQUIRED", ["source"]],
    [{ source: { $case: "session", value: "a" } }, status.INVALID_ARGUMENT, "FIELD_INVALID", ["session"]],
    [{ source: { $case: "session", value: "sessions/none" } }, status.NOT_FOUND, "SESSION_NOT_FOUND", []],
  ] satisfies [Request, number, string, string[]][])("refuses %j", async (request, code, reason, fields) => {
    expect(summaryOf(await open(request).ended)).toEqual({ code, reason, fields });
  });

  it("bounds how many streams are open", async () => {
    await createSession("a");
    const streams = [follow("sessions/a"), follow("sessions/a")];
    for (const inbox of streams) await inbox.next();
    expect(summaryOf(await follow("sessions/a").ended)).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "STREAM_LIMIT",
    });
    streams[0]?.stream.cancel();
    await vi.waitFor(async () => {
      const { nodes } = await unary<{ nodes: { streams: number }[] }>((done) =>
        server.nodes.getStatus({ nodes: undefined }, done),
      );
      expect(nodes[0]?.streams).toBe(1);
    });
  });
});

it("takes no more messages than the client does", async () => {
  await createSession("a");
  const inbox = follow("sessions/a");
  await inbox.next();
  inbox.stream.pause();
  const reader = onlySession().readers[0] ?? expect.fail();
  const pulled = vi.spyOn(reader, "next");
  const subject = "x".repeat(64 * 1024);
  for (let index = 0; index < 200; index += 1) {
    reader.push({ event: { $case: "rows", value: { samples: [{ subject }] } } });
  }
  let before = -1;
  await vi.waitFor(
    () => {
      const now = pulled.mock.calls.length;
      const still = now === before;
      before = now;
      expect(still).toBe(true);
    },
    { interval: 200 },
  );
  expect(before).toBeLessThan(100);
  inbox.stream.cancel();
});
