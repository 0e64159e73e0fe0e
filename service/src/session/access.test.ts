import { status } from "@grpc/grpc-js";
import {
  CreateSessionRequest,
  GetSnapshotRequest,
  Metric,
  SessionView,
  StreamSamplesRequest,
  UpdateSessionRequest,
} from "@latscope/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parsePolicy } from "../auth/policy/parse.js";
import { Policies } from "../auth/policy/policies.js";
import type { Policy } from "../auth/policy/authority.js";
import { Inbox } from "../testing/inbox.js";
import { summaryOf } from "../testing/status-details.js";
import { startTestServer, unary, type TestServer } from "../testing/test-server.js";

const [ROOT, ALICE, BOB, VIEWER, NARROW, NOBODY] = [0, 1, 2, 3, 4, 5];

const rules = `
rules:
  - { name: root, principals: [{ uid: ${ROOT} }], role: admin, targets: all }
  - { name: operators, principals: [{ uid: ${ALICE} }, { uid: ${BOB} }], role: operator, targets: all }
  - { name: viewer, principals: [{ uid: ${VIEWER} }], role: viewer, targets: all }
  - { name: narrow, principals: [{ uid: ${NARROW} }], role: operator, targets: { cidrs: all, metrics: [dns_reply] } }
`;

let policy: Policy;
let changed: () => void;
let server: TestServer;
let as: Record<number, Awaited<ReturnType<TestServer["clientsOf"]>>>;

beforeEach(async () => {
  policy = parsePolicy("p", rules);
  const policies = new Policies({
    get current() {
      return policy;
    },
    subscribe: (listener) => (changed = listener),
  });
  server = await startTestServer({}, { policies });
  as = {};
  for (const uid of [ROOT, ALICE, BOB, VIEWER, NARROW, NOBODY]) as[uid] = await server.clientsOf(uid);
  await create(ALICE, "hers");
});
afterEach(() => server.stop());

const clients = (uid: number) => {
  const found = as[uid];
  if (found === undefined) throw new Error(`no clients of ${uid}`);
  return found;
};
const spec = { probes: [{ kind: { $case: "tcp" as const, value: { metrics: [Metric.TCP_RTT] } } }] };
const create = (uid: number, id: string, asked: object = spec) =>
  unary((done) =>
    clients(uid).sessions.createSession(
      CreateSessionRequest.fromPartial({ session: { spec: asked }, sessionId: id }),
      done,
    ),
  );
const list = async (uid: number): Promise<string[]> => {
  const { sessions } = await unary<{ sessions: { name: string }[] }>((done) =>
    clients(uid).sessions.listSessions({ pageSize: 0, pageToken: "", states: [], labels: {} }, done),
  );
  return sessions.map(({ name }) => name);
};
const calls: Record<string, (uid: number, name: string) => Promise<unknown>> = {
  GetSession: (uid, name) => unary((done) => clients(uid).sessions.getSession({ name, view: SessionView.BASIC }, done)),
  UpdateSession: (uid, name) => {
    const request = { session: { name, labels: { by: `${uid}` } }, updateMask: ["labels"] };
    return unary((done) => clients(uid).sessions.updateSession(UpdateSessionRequest.fromPartial(request), done));
  },
  StopSession: (uid, name) => unary((done) => clients(uid).sessions.stopSession({ name, etag: "" }, done)),
  DeleteSession: (uid, name) =>
    unary((done) => clients(uid).sessions.deleteSession({ name, etag: "", force: true }, done)),
  GetSnapshot: (uid, name) =>
    unary((done) => clients(uid).samples.getSnapshot(GetSnapshotRequest.fromPartial({ session: name }), done)),
};
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "OK",
    (error: unknown) => summaryOf(error).reason ?? "no reason",
  );

const changes = ["UpdateSession", "StopSession", "DeleteSession"];
const reads = ["GetSession", "GetSnapshot"];

describe("somebody else's session", () => {
  it.each([
    [ROOT, [...reads, ...changes], "OK"],
    [BOB, reads, "OK"],
    [BOB, changes, "NOT_OWNER"],
    [VIEWER, reads, "OK"],
    [VIEWER, changes, "ROLE_MISSING"],
    [NARROW, [...reads, ...changes], "SESSION_NOT_FOUND"],
    [NOBODY, [...reads, ...changes], "RULE_MISSING"],
  ])("of uid %d: %j is %s", async (uid, names, expected) => {
    for (const name of names)
      expect([name, await outcome(calls[name]?.(uid, "sessions/hers") ?? Promise.reject(new Error()))]).toEqual([
        name,
        expected,
      ]);
  });

  it("looks the same as none at all to who may not know of it", async () => {
    const failureOf = (name: string) =>
      unary((done) => clients(NARROW).sessions.getSession({ name, view: SessionView.BASIC }, done)).catch(
        (error: unknown) => error,
      );
    const [hidden, none] = [await failureOf("sessions/hers"), await failureOf("sessions/none")];
    const said = (error: unknown): string => (error as Error).message.replaceAll("none", "hers");
    expect(said(hidden)).toBe(said(none));
    expect(summaryOf(hidden)).toEqual(summaryOf(none));
  });

  it("is listed for who may know of it", async () => {
    await create(NARROW, "dns", { probes: [{ kind: { $case: "dns", value: {} } }] });
    expect(await list(NARROW)).toEqual(["sessions/dns"]);
    expect(await list(VIEWER)).toEqual(["sessions/dns", "sessions/hers"]);
    expect(await outcome(list(NOBODY))).toBe("RULE_MISSING");
  });
});

it.each([
  [ROOT, "OK"],
  [ALICE, "OK"],
  [VIEWER, "ROLE_MISSING"],
  [NARROW, "TARGET_DENIED"],
  [NOBODY, "RULE_MISSING"],
])("uid %d making a session: %s", async (uid, expected) => {
  expect(await outcome(create(uid, "new"))).toBe(expected);
  const request = StreamSamplesRequest.fromPartial({ source: { $case: "spec", value: spec } });
  const stream = new Inbox(clients(uid).samples.streamSamples(request));
  if (expected === "OK") {
    await stream.next();
    stream.stream.cancel();
  } else {
    expect(await stream.ended).toMatchObject({ code: status.PERMISSION_DENIED });
    expect(summaryOf(await stream.ended).reason).toBe(expected);
  }
});

it("names what of a spec is not allowed", async () => {
  const probes = [
    { kind: { $case: "dns", value: {} } },
    { kind: { $case: "tcp", value: { metrics: [Metric.TCP_RTT] } } },
  ];
  const failed = await create(NARROW, "new", { probes, networkNamespaces: ["/run/netns/blue"] }).catch(
    (error: unknown) => error,
  );
  expect(summaryOf(failed).fields).toEqual([
    "session.spec.probes[1].tcp.metrics[0]",
    "session.spec.network_namespaces[0]",
  ]);
});

it("shows the kernel's programs to admins only", async () => {
  const get = (uid: number) =>
    outcome(unary((done) => clients(uid).sessions.getSession({ name: "sessions/hers", view: SessionView.FULL }, done)));
  expect([await get(ROOT), await get(ALICE)]).toEqual(["OK", "ROLE_MISSING"]);
});

describe("a change of the policy", () => {
  const change = (text: string): void => {
    policy = parsePolicy("p", text);
    changed();
  };

  it("ends the streams of who may no longer read, and no other", async () => {
    const request = StreamSamplesRequest.fromPartial({ source: { $case: "session", value: "sessions/hers" } });
    const [viewer, bob] = [VIEWER, BOB].map((uid) => new Inbox(clients(uid).samples.streamSamples(request)));
    await viewer?.next();
    await bob?.next();
    change(rules.replace("name: viewer, principals: [{ uid: 3 }]", "name: viewer, principals: [{ uid: 33 }]"));
    expect(await viewer?.next()).toMatchObject({ event: { $case: "end", value: { reason: 7 } } });
    const ended = await viewer?.ended;
    expect(ended && summaryOf(ended)).toMatchObject({ code: status.PERMISSION_DENIED, reason: "RULE_MISSING" });
    server.collector.sessions.get("hers")?.readers[1]?.push({ nextIndex: 5n });
    expect(await bob?.next()).toMatchObject({ nextIndex: 5n });
    bob?.stream.cancel();
    expect(await outcome(list(VIEWER))).toBe("RULE_MISSING");
  });

  it("tells watchers what they may see now", async () => {
    const watch = new Inbox(clients(VIEWER).sessions.watchSessions({ labels: {}, resumeToken: "" }));
    expect(await watch.next()).toMatchObject({ event: { $case: "session" } });
    expect(await watch.next()).toMatchObject({ event: { $case: "bookmark" } });
    change(rules.replace("role: viewer, targets: all", "role: viewer, targets: { cidrs: all, metrics: [dns_reply] }"));
    expect(await watch.next()).toMatchObject({ event: { $case: "deleted", value: "sessions/hers" } });
    change(rules);
    expect(await watch.next()).toMatchObject({ event: { $case: "session", value: { name: "sessions/hers" } } });
    change("rules: []");
    expect(summaryOf(await watch.ended)).toMatchObject({ code: status.PERMISSION_DENIED, reason: "RULE_MISSING" });
  });

  it("makes tokens of before worthless, and those of others always are", async () => {
    const token = async (uid: number): Promise<string> => {
      const watch = new Inbox(clients(uid).sessions.watchSessions({ labels: {}, resumeToken: "" }));
      await watch.next();
      const { event } = (await watch.next()) as { event: { value: { resumeToken: string } } };
      watch.stream.cancel();
      return event.value.resumeToken;
    };
    const resumed = async (uid: number, resumeToken: string): Promise<string | undefined> => {
      const watch = new Inbox(clients(uid).sessions.watchSessions({ labels: {}, resumeToken }));
      const first = await Promise.race([
        watch.next().then(
          () => "OK",
          () => "ended",
        ),
        watch.ended.then(() => "ended"),
      ]);
      watch.stream.cancel();
      return first === "OK" ? first : summaryOf(await watch.ended).reason;
    };
    const own = await token(BOB);
    expect(await resumed(BOB, own)).toBe("OK");
    expect(await resumed(ALICE, own)).toBe("RESUME_TOKEN_EXPIRED");
    change(rules.replaceAll("role: operator, targets: all", "role: operator, targets: { cidrs: all }"));
    expect(await resumed(BOB, own)).toBe("RESUME_TOKEN_EXPIRED");
  });
});
