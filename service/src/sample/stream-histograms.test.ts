import { status } from "@grpc/grpc-js";
import {
  CreateSessionRequest,
  EndReason,
  StreamHistogramsRequest,
  type StreamHistogramsResponse,
} from "@latscope/proto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { addonError, type SessionDouble } from "../testing/collector-double.js";
import { Inbox } from "../testing/inbox.js";
import { summaryOf } from "../testing/status-details.js";
import { startTestServer, unary, type TestServer } from "../testing/test-server.js";

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(async () => {
  await server.stop();
});

const spec = { probes: [{ kind: { $case: "tcp" as const, value: {} } }] };
type Request = Parameters<typeof StreamHistogramsRequest.fromPartial>[0];

function open(request: Request): Inbox<StreamHistogramsResponse> {
  return new Inbox(server.samples.streamHistograms(StreamHistogramsRequest.fromPartial(request)));
}
const own = (more: Request = {}) => open({ source: { $case: "spec", value: spec }, ...more });
const follow = (session: string) => open({ source: { $case: "session", value: session } });
const createSession = (sessionId: string, idleSeconds = 600n) =>
  unary((done) =>
    server.sessions.createSession(
      CreateSessionRequest.fromPartial({
        sessionId,
        session: { spec: { ...spec, limits: { idleTimeout: { seconds: idleSeconds } } } },
      }),
      done,
    ),
  );
const session = (id: string): SessionDouble => server.collector.sessions.get(id) ?? expect.fail();
const onlySession = (): SessionDouble => [...server.collector.sessions.values()][0] ?? expect.fail();
const isStopped = (id: string) =>
  vi.waitFor(
    () => {
      expect(session(id).stopped).toBe(EndReason.SESSION_STOPPED);
    },
    { timeout: 5000 },
  );

describe("StreamHistograms with a spec", () => {
  it("makes a session that ends with the stream", async () => {
    const inbox = own();
    const start = await inbox.next();
    expect(start).toMatchObject({ node: "nodes/test", event: { $case: "start" } });
    expect(start.session).toMatch(/^sessions\/s-/);
    inbox.stream.cancel();
    await vi.waitFor(() => {
      expect(onlySession()).toMatchObject({ stopped: EndReason.SESSION_STOPPED, closed: true });
      expect(onlySession().readers[0]?.closed).toBe(true);
    });
  });

  it("makes no session when the collector refuses the reader", async () => {
    expect(summaryOf(await own({ interval: { seconds: 1n } }).ended)).toEqual({
      code: status.INVALID_ARGUMENT,
      reason: "DURATION_INVALID",
      fields: ["interval"],
    });
    expect(server.collector.sessions.size).toBe(0);
  });

  it("refuses an empty spec by its path", async () => {
    expect(summaryOf(await open({ source: { $case: "spec", value: {} } }).ended)).toMatchObject({
      reason: "FIELD_REQUIRED",
      fields: ["spec.probes"],
    });
  });

  it("takes its session away when reading the kernel fails", async () => {
    const inbox = own();
    await inbox.next();
    onlySession().readers[0]?.fail(addonError("INTERNAL", "KERNEL_ERROR", "map", "EIO"));
    expect((await inbox.ended).code).toBe(status.INTERNAL);
    expect(onlySession().closed).toBe(true);
  });
});

describe("StreamHistograms with a session", () => {
  it("follows it to its end and leaves it alone", async () => {
    await createSession("a");
    const inbox = follow("sessions/a");
    await inbox.next();
    onlySession().readers[0]?.pushBatch({ groups: [{ histogram: { count: 3n } }], totals: { measured: 3n } });
    expect(await inbox.next()).toMatchObject({
      session: "sessions/a",
      event: { $case: "batch", value: { groups: [{ histogram: { count: 3n } }], totals: { measured: 3n } } },
    });
    await unary((done) => server.sessions.stopSession({ name: "sessions/a", etag: "" }, done));
    expect(await inbox.next()).toMatchObject({ event: { $case: "end", value: { reason: EndReason.SESSION_STOPPED } } });
    expect((await inbox.ended).code).toBe(status.OK);
    expect(onlySession().closed).toBe(false);
  });

  it("keeps it from being idle, and can be opened once it has stopped", async () => {
    await createSession("a", 1n);
    const inbox = follow("sessions/a");
    await inbox.next();
    await createSession("b", 1n);
    await isStopped("b");
    expect(session("a").stopped).toBeUndefined();
    inbox.stream.cancel();
    await isStopped("a");
    const later = follow("sessions/a");
    expect(await later.next()).toMatchObject({ event: { $case: "start" } });
    later.stream.cancel();
  });

  it.each([
    [{}, status.INVALID_ARGUMENT, "FIELD_REQUIRED", ["source"]],
    [{ source: { $case: "session", value: "a" } }, status.INVALID_ARGUMENT, "FIELD_INVALID", ["session"]],
    [{ source: { $case: "session", value: "sessions/none" } }, status.NOT_FOUND, "SESSION_NOT_FOUND", []],
  ] satisfies [Request, number, string, string[]][])("refuses %j", async (request, code, reason, fields) => {
    expect(summaryOf(await open(request).ended)).toEqual({ code, reason, fields });
  });
});
