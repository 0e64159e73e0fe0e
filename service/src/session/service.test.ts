import { status } from "@grpc/grpc-js";
import {
  CreateSessionRequest,
  EndReason,
  Session,
  SessionState,
  SessionView,
  StopReason,
  WatchSessionsRequest,
  type GetStatusResponse,
  type WatchSessionsResponse,
} from "@latscope/proto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { addonError } from "../testing/collector-double.js";
import { Inbox } from "../testing/inbox.js";
import { summaryOf } from "../testing/status-details.js";
import { startTestServer, unary, type TestServer } from "../testing/test-server.js";

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer({ maxSessions: "3", maxTotalHistoryBytes: "96MiB", maxHistoryBytes: "64MiB" });
});
afterEach(async () => {
  vi.useRealTimers();
  await server.stop();
});

const bounded = (mebibytes: number) => ({ ...tcp, limits: { historyBytes: BigInt(mebibytes) * 1_048_576n } });
const tcp = { probes: [{ kind: { $case: "tcp" as const, value: {} } }] };

type Create = Parameters<typeof CreateSessionRequest.fromPartial>[0];

const create = async (request: Create = {}): Promise<Session> => {
  const full = CreateSessionRequest.fromPartial({ session: { spec: tcp }, ...request });
  const { session } = await unary<{ session: Session | undefined }>((done) =>
    server.sessions.createSession(full, done),
  );
  return session ?? expect.fail();
};
const get = async (name: string): Promise<Session> => {
  const request = { name, view: SessionView.BASIC };
  const { session } = await unary<{ session: Session | undefined }>((done) =>
    server.sessions.getSession(request, done),
  );
  return session ?? expect.fail();
};
const stop = (name: string, etag = "") => unary((done) => server.sessions.stopSession({ name, etag }, done));
const remove = (name: string, force = false, etag = "") =>
  unary((done) => server.sessions.deleteSession({ name, force, etag }, done));
const failure = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => expect.fail("the call succeeded"),
    (reason: unknown) => reason,
  );
  return summaryOf(error);
};

describe("CreateSession", () => {
  it("answers with the attached session", async () => {
    const session = await create({
      sessionId: "edge",
      session: { spec: tcp, displayName: "Edge", labels: { team: "net" } },
    });
    expect(session).toMatchObject({
      name: "sessions/edge",
      displayName: "Edge",
      labels: { team: "net" },
      owner: "uid:1000",
      state: SessionState.RUNNING,
      stopReason: StopReason.UNSPECIFIED,
      stats: { kernelMemoryBytes: 4096n },
      probeStatuses: [{ probe: 0, attached: true }],
    });
    expect(session.spec?.limits).toBeUndefined();
    expect(session.effectiveSpec?.limits?.retain?.seconds).toBe(600n);
    expect(session.etag).not.toBe("");
  });

  it("passes over what a client sets of what the server gives", async () => {
    const given = { name: "sessions/b", owner: "uid:0", etag: "mine", state: SessionState.FAILED, stateReason: "why" };
    const session = await create({ sessionId: "a", session: { spec: tcp, ...given, effectiveSpec: {}, stats: {} } });
    const { etag, effectiveSpec } = session;
    expect(session).toMatchObject({
      name: "sessions/a",
      owner: "uid:1000",
      state: SessionState.RUNNING,
      stateReason: "",
    });
    expect(etag).not.toBe("mine");
    expect(effectiveSpec?.probes).toHaveLength(1);
  });

  it("chooses an id", async () => {
    const { name } = await create();
    expect(name).toMatch(/^sessions\/s-[0-9a-f]{8}$/);
  });

  it.each(["Edge", "1a", "-a", "a_b", "a".repeat(64), "sessions/a"])("refuses the id %s", async (sessionId) => {
    expect(await failure(create({ sessionId }))).toEqual({
      code: status.INVALID_ARGUMENT,
      reason: "FIELD_INVALID",
      fields: ["session_id"],
    });
  });

  it("refuses an id that is taken, and more sessions than may be", async () => {
    await create({ sessionId: "a" });
    expect(await failure(create({ sessionId: "a" }))).toMatchObject({
      code: status.ALREADY_EXISTS,
      reason: "SESSION_EXISTS",
    });
    await create({ session: { spec: bounded(1) } });
    await create({ session: { spec: bounded(1) } });
    expect(await failure(create())).toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: "SESSION_LIMIT" });
  });

  it("refuses more history than all sessions may keep together, on update as well", async () => {
    const refused = { code: status.RESOURCE_EXHAUSTED, reason: "HISTORY_LIMIT" };
    // Clamped to 64 MiB, which leaves 32.
    await create({ sessionId: "a", session: { spec: bounded(10_000) } });
    await create({ sessionId: "b", session: { spec: bounded(16) } });
    expect(await failure(create())).toMatchObject(refused);
    const update = (mebibytes: number) => {
      const session = Session.fromPartial({ name: "sessions/b", spec: bounded(mebibytes) });
      return unary((done) =>
        server.sessions.updateSession({ session, updateMask: ["spec.limits.history_bytes"] }, done),
      );
    };
    expect(await failure(update(33))).toMatchObject(refused);
    await update(32);
    await remove("sessions/a", true);
    await create();
  });

  it("keeps nothing of a session that the collector refuses, and names the field as the client sent it", async () => {
    const refused = { code: status.INVALID_ARGUMENT, reason: "FIELD_REQUIRED", fields: ["session.spec.probes"] };
    expect(await failure(create({ sessionId: "a", session: {} }))).toEqual(refused);
    expect(await failure(get("sessions/a"))).toMatchObject({ code: status.NOT_FOUND });
    await create({ sessionId: "a" });
  });

  it("answers a repeated request with the first answer", async () => {
    const requestId = "3a5f1f5e-8f0b-4b0e-9e53-0d2c7a7b1c11";
    const [first, second] = await Promise.all([create({ requestId }), create({ requestId })]);
    expect(second).toEqual(first);
    expect(await create({ requestId })).toEqual(first);
    expect(server.collector.sessions.size).toBe(1);
    const reused = { code: status.INVALID_ARGUMENT, reason: "REQUEST_ID_REUSED", fields: ["request_id"] };
    expect(await failure(create({ requestId, sessionId: "b" }))).toEqual(reused);
    expect(await failure(create({ requestId: "7" }))).toMatchObject({
      reason: "FIELD_INVALID",
      fields: ["request_id"],
    });
  });

  it("only checks when asked to", async () => {
    const session = await create({ validateOnly: true, sessionId: "a" });
    expect(session).toMatchObject({
      name: "",
      state: SessionState.UNSPECIFIED,
      effectiveSpec: { limits: { retain: { seconds: 600n } } },
      stats: { programs: [{ verifiedInstructions: 7 }] },
    });
    expect(server.collector.sessions.size).toBe(0);
    expect(await failure(create({ validateOnly: true, session: {} }))).toMatchObject({
      fields: ["session.spec.probes"],
    });
  });

  it("refuses labels that are too long", async () => {
    const labels = { ["k".repeat(64)]: "", v: "v".repeat(256) };
    expect(await failure(create({ session: { spec: tcp, labels } }))).toEqual({
      code: status.INVALID_ARGUMENT,
      reason: "FIELD_INVALID",
      fields: ["session.labels", 'session.labels["v"]'],
    });
  });
});

describe("GetSession", () => {
  it.each([
    ["", status.INVALID_ARGUMENT, "FIELD_REQUIRED"],
    ["edge", status.INVALID_ARGUMENT, "FIELD_INVALID"],
    ["sessions/", status.INVALID_ARGUMENT, "FIELD_INVALID"],
    ["sessions/nothing", status.NOT_FOUND, "SESSION_NOT_FOUND"],
  ])("refuses %j", async (name, code, reason) => {
    expect(await failure(get(name))).toMatchObject({ code, reason });
  });

  it("has the bytecode in the full view only", async () => {
    await create({ sessionId: "a" });
    const root = await server.clientsOf(0);
    const bytecode = async (view: SessionView): Promise<number | undefined> => {
      const { session } = await unary<{ session: Session | undefined }>((done) =>
        root.sessions.getSession({ name: "sessions/a", view }, done),
      );
      return session?.stats?.programs[0]?.bytecode.length;
    };
    expect(await bytecode(SessionView.UNSPECIFIED)).toBe(0);
    expect(await bytecode(SessionView.BASIC)).toBe(0);
    expect(await bytecode(SessionView.FULL)).toBe(8);
    expect(await failure(bytecode(SessionView.UNRECOGNIZED))).toMatchObject({
      reason: "FIELD_INVALID",
      fields: ["view"],
    });
  });
});

describe("ListSessions", () => {
  const list = (request: {
    states?: SessionState[];
    labels?: Record<string, string>;
    pageSize?: number;
    pageToken?: string;
  }) =>
    unary<{ sessions: Session[]; nextPageToken: string }>((done) =>
      server.sessions.listSessions({ states: [], labels: {}, pageSize: 0, pageToken: "", ...request }, done),
    );
  const names = async (request: Parameters<typeof list>[0]) => (await list(request)).sessions.map(({ name }) => name);

  it("filters by state and labels, and pages by name", async () => {
    await create({ sessionId: "c", session: { spec: tcp, labels: { team: "net" } } });
    await create({ sessionId: "a", session: { spec: tcp, labels: { team: "net", site: "x" } } });
    await create({ sessionId: "b" });
    await stop("sessions/a");
    expect(await names({})).toEqual(["sessions/a", "sessions/b", "sessions/c"]);
    expect(await names({ labels: { team: "net" } })).toEqual(["sessions/a", "sessions/c"]);
    expect(await names({ states: [SessionState.STOPPED] })).toEqual(["sessions/a"]);
    const first = await list({ pageSize: 2 });
    expect(first.sessions).toHaveLength(2);
    expect(await names({ pageSize: 2, pageToken: first.nextPageToken })).toEqual(["sessions/c"]);
    const handle = server.collector.sessions.get("c") ?? expect.fail();
    vi.spyOn(handle, "stats").mockRejectedValue(addonError("FAILED_PRECONDITION", "CLOSED", "session", "is closed"));
    expect(await names({})).toHaveLength(3);
    expect(await failure(list({ pageSize: -1 }))).toMatchObject({ fields: ["page_size"] });
    const states = [SessionState.RUNNING, SessionState.UNRECOGNIZED];
    expect(await failure(list({ states }))).toMatchObject({ reason: "FIELD_INVALID", fields: ["states[1]"] });
  });
});

describe("StopSession and DeleteSession", () => {
  it("stops once and says the same again", async () => {
    const { etag } = await create({ sessionId: "a" });
    await stop("sessions/a");
    const first = await get("sessions/a");
    expect(first.etag).toBe(etag);
    expect(first).toMatchObject({ state: SessionState.STOPPED, stopReason: StopReason.REQUESTED });
    expect(server.collector.sessions.get("a")?.stopped).toBe(EndReason.SESSION_STOPPED);
    await stop("sessions/a");
    expect(await get("sessions/a")).toEqual(first);
  });

  it("refuses a stale etag and takes the current one", async () => {
    const { etag } = await create({ sessionId: "a" });
    expect(await failure(stop("sessions/a", "old"))).toMatchObject({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
    expect(await failure(remove("sessions/a", true, "old"))).toMatchObject({ code: status.ABORTED });
    await stop("sessions/a", etag);
    await remove("sessions/a", false, etag);
  });

  it("does not leave a session RUNNING that could not be stopped", async () => {
    await create({ sessionId: "a" });
    const handle = server.collector.sessions.get("a") ?? expect.fail();
    vi.spyOn(handle, "stop").mockRejectedValue(new Error("secret"));
    expect(await failure(stop("sessions/a"))).toMatchObject({ code: status.INTERNAL, reason: "INTERNAL" });
    expect(await get("sessions/a")).toMatchObject({
      state: SessionState.FAILED,
      stateReason: "it could not be stopped in good order",
      stopReason: StopReason.REQUESTED,
    });
    await remove("sessions/a");
    expect(handle.closed).toBe(true);
  });

  it("frees a session whose stop fails while it is deleted", async () => {
    await create({ sessionId: "a" });
    const handle = server.collector.sessions.get("a") ?? expect.fail();
    vi.spyOn(handle, "stop").mockRejectedValue(new Error("secret"));
    expect(await failure(remove("sessions/a", true))).toMatchObject({ code: status.INTERNAL });
    expect(handle.closed).toBe(true);
    expect(await failure(get("sessions/a"))).toMatchObject({ code: status.NOT_FOUND });
  });

  it("deletes a running session only with force", async () => {
    await create({ sessionId: "a" });
    expect(await failure(remove("sessions/a"))).toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "SESSION_RUNNING",
    });
    await remove("sessions/a", true);
    expect(server.collector.sessions.get("a")).toMatchObject({ stopped: EndReason.SESSION_STOPPED, closed: true });
    expect(await failure(remove("sessions/a", true))).toMatchObject({ code: status.NOT_FOUND });
  });
});

it("GetStatus counts sessions, and samples also of those that are gone", async () => {
  const status = async () => {
    const { nodes } = await unary<GetStatusResponse>((done) => server.nodes.getStatus({ nodes: undefined }, done));
    return nodes[0];
  };
  await create({ sessionId: "a" });
  await create({ sessionId: "b" });
  expect(await status()).toMatchObject({ version: "0.1.0", sessions: 2, samples: 14n, residentBytes: 4096n });
  await remove("sessions/a", true);
  expect(await status()).toMatchObject({ sessions: 1, samples: 14n });
});

describe("limits", () => {
  const limited = (limits: {
    duration?: { seconds: bigint };
    idleTimeout?: { seconds: bigint };
    retain?: { seconds: bigint };
  }) => create({ sessionId: "a", session: { spec: { ...tcp, limits } } });

  it("ends with its duration, and is forgotten when retain runs out", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    await limited({ duration: { seconds: 60n }, retain: { seconds: 30n } });
    await vi.advanceTimersByTimeAsync(59_999);
    expect((await get("sessions/a")).state).toBe(SessionState.RUNNING);
    await vi.advanceTimersByTimeAsync(1);
    expect(await get("sessions/a")).toMatchObject({ state: SessionState.STOPPED, stopReason: StopReason.DURATION });
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await failure(get("sessions/a"))).toMatchObject({ code: status.NOT_FOUND });
    expect(server.collector.sessions.get("a")?.closed).toBe(true);
  });

  it("ends when nobody has read it for the idle timeout", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    await limited({ idleTimeout: { seconds: 10n }, retain: { seconds: 30n } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await get("sessions/a")).toMatchObject({ state: SessionState.STOPPED, stopReason: StopReason.IDLE });
  });
});

describe("UpdateSession", () => {
  const update = async (
    session: Parameters<typeof Session.fromPartial>[0],
    updateMask?: string[],
  ): Promise<Session> => {
    const request = { session: Session.fromPartial({ name: "sessions/a", ...session }), updateMask };
    const answer = await unary<{ session: Session | undefined }>((done) =>
      server.sessions.updateSession(request, done),
    );
    return answer.session ?? expect.fail();
  };

  it("turns live knobs and moves the etag", async () => {
    const before = await create({ sessionId: "a" });
    const after = await update(
      { etag: before.etag, displayName: "new", spec: { filters: [{ cidrs: ["10.0.0.0/8"] }] } },
      ["display_name", "spec.filters"],
    );
    expect(after).toMatchObject({
      displayName: "new",
      spec: { filters: [{ cidrs: ["10.0.0.0/8"] }] },
      state: SessionState.RUNNING,
    });
    expect(after.spec?.probes).toEqual(before.spec?.probes);
    expect(after.effectiveSpec?.filters).toEqual(after.spec?.filters);
    expect(after.etag).not.toBe(before.etag);
    expect(await failure(update({ etag: before.etag, displayName: "x" }, ["display_name"]))).toMatchObject({
      code: status.ABORTED,
    });
  });

  it("refuses what is no live knob", async () => {
    await create({ sessionId: "a" });
    expect(await failure(update({}))).toMatchObject({ reason: "UPDATE_MASK_INVALID", fields: ["update_mask"] });
    expect(await failure(update({}, ["spec.probes"]))).toMatchObject({ reason: "UPDATE_MASK_INVALID" });
  });

  it("leaves a stopped session its names only", async () => {
    await create({ sessionId: "a" });
    await stop("sessions/a");
    expect(await failure(update({}, ["spec.filters"]))).toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "SESSION_STOPPED",
    });
    expect(await update({ labels: { a: "1" } }, ["labels"])).toMatchObject({
      labels: { a: "1" },
      state: SessionState.STOPPED,
    });
  });
});

describe("WatchSessions", () => {
  const watch = (request: Parameters<typeof WatchSessionsRequest.fromPartial>[0] = {}) => {
    const inbox = new Inbox<WatchSessionsResponse>(
      server.sessions.watchSessions(WatchSessionsRequest.fromPartial(request)),
    );
    const next = async (): Promise<string> => {
      const { event } = await inbox.next();
      switch (event?.$case) {
        case "session":
          return `${event.value.name} ${SessionState[event.value.state]}`;
        case "deleted":
          return `${event.value} deleted`;
        case "bookmark":
          return `bookmark ${event.value.resumeToken}`;
        case undefined:
          return "nothing";
      }
    };
    return {
      next,
      cancel: () => {
        inbox.stream.cancel();
      },
    };
  };

  it("gives the list, a bookmark, then changes, and resumes from the bookmark", async () => {
    await create({ sessionId: "a" });
    const watcher = watch();
    expect(await watcher.next()).toBe("sessions/a RUNNING");
    const bookmark = await watcher.next();
    expect(bookmark).toMatch(/^bookmark /);
    await stop("sessions/a");
    expect(await watcher.next()).toBe("sessions/a STOPPED");
    await remove("sessions/a");
    expect(await watcher.next()).toBe("sessions/a deleted");
    watcher.cancel();

    const resumed = watch({ resumeToken: bookmark.replace("bookmark ", "") });
    expect(await resumed.next()).toBe("sessions/a deleted");
    resumed.cancel();
  });

  it("tells of a session that leaves the labels asked for", async () => {
    await create({ sessionId: "a", session: { spec: tcp, labels: { team: "net" } } });
    await create({ sessionId: "b" });
    const watcher = watch({ labels: { team: "net" } });
    expect(await watcher.next()).toBe("sessions/a RUNNING");
    expect(await watcher.next()).toMatch(/^bookmark /);
    const request = { session: Session.fromPartial({ name: "sessions/a" }), updateMask: ["labels"] };
    await unary((done) => server.sessions.updateSession(request, done));
    expect(await watcher.next()).toBe("sessions/a deleted");
    watcher.cancel();
  });
});
