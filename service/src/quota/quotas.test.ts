import { HealthCheckResponse_ServingStatus } from "@latscope/proto/grpc/health";
import {
  CreateSessionRequest,
  GetSnapshotRequest,
  SessionSpec,
  StreamSamplesRequest,
  type CreateSessionResponse,
} from "@latscope/proto";
import { afterEach, describe, expect, it } from "vitest";
import { parsePolicy } from "../auth/policy/parse.js";
import { Policies } from "../auth/policy/policies.js";
import type { RawConfig } from "../config/load.js";
import { Inbox } from "../testing/inbox.js";
import { detailsOf, summaryOf } from "../testing/status-details.js";
import { startTestServer, unary, type TestServer } from "../testing/test-server.js";

let server: TestServer;
afterEach(() => server.stop());

const spec = SessionSpec.fromPartial({ probes: [{ kind: { $case: "tcp", value: {} } }] });

async function serve(flags: RawConfig, policies?: Policies): Promise<void> {
  server = await startTestServer(flags, policies === undefined ? {} : { policies });
}

const create = (sessionId: string) =>
  unary<CreateSessionResponse>((done) =>
    server.sessions.createSession(CreateSessionRequest.fromPartial({ session: { spec }, sessionId }), done),
  );

const snapshot = () =>
  unary((done) => server.samples.getSnapshot(GetSnapshotRequest.fromPartial({ session: "sessions/a" }), done));

const read = (session: string) =>
  new Inbox(
    server.samples.streamSamples(StreamSamplesRequest.fromPartial({ source: { $case: "session", value: session } })),
  );

async function refusal(work: Promise<unknown>): Promise<{ reason: string | undefined; quota: string; retry: boolean }> {
  const error: unknown = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  const details = detailsOf(error as Parameters<typeof detailsOf>[0]);
  const [violation] = details.QuotaFailure?.violations ?? [];
  const { reason } = summaryOf(error);
  return { reason, quota: violation?.subject ?? "", retry: details.RetryInfo?.retryDelay !== undefined };
}

describe("one principal", () => {
  it("has so many sessions at once", async () => {
    await serve({ quotaSessions: "2" });
    await create("a");
    await create("b");
    expect(await refusal(create("c"))).toEqual({ reason: "SESSION_QUOTA", quota: "sessions", retry: true });
    await unary((done) => server.sessions.deleteSession({ name: "sessions/a", etag: "", force: true }, done));
    await create("c");
  });

  it("has what its rule of the policy says, and the rest as configured", async () => {
    const file = `
rules:
  - name: few
    principals: [{ uid: 1000 }]
    role: operator
    targets: all
    quota: { sessions: 1, bytes-per-second: 1MiB }
`;
    const policies = new Policies({ current: parsePolicy("policy.yaml", file), subscribe: () => undefined });
    await serve({ quotaSessions: "3", quotaStreams: "0" }, policies);
    await create("a");
    expect((await refusal(create("b"))).reason).toBe("SESSION_QUOTA");
    expect(summaryOf(await read("sessions/a").ended).reason).toBe("STREAM_QUOTA");
  });

  it("has so many streams at once", async () => {
    await serve({ quotaStreams: "1" });
    await create("a");
    const one = read("sessions/a");
    await one.next();
    const two = read("sessions/a");
    const status = await two.ended;
    expect(summaryOf({ ...status, code: status.code }).reason).toBe("STREAM_QUOTA");
    one.stream.cancel();
    await one.ended;
    await expect
      .poll(async () =>
        read("sessions/a")
          .next()
          .then(
            () => "open",
            () => "refused",
          ),
      )
      .toBe("open");
  });

  it("uses so much kernel memory, maps that its sessions share counted once; what would exceed it does not stay", async () => {
    await serve({ quotaKernelMemory: "10KiB" });
    await create("a");
    await create("b");
    const start = server.collector.start.bind(server.collector);
    server.collector.start = async (id, bytes, scope) => {
      const session = await start(id, bytes, scope);
      session.memory = [
        { id: 1, bytes: 4096 },
        { id: 2, bytes: 8192 },
      ];
      return session;
    };
    expect(await refusal(create("c"))).toEqual({ reason: "KERNEL_MEMORY_QUOTA", quota: "kernel_memory", retry: true });
    expect(server.collector.sessions.get("c")?.closed).toBe(true);
    const { sessions } = await unary<{ sessions: { name: string }[] }>((done) =>
      server.sessions.listSessions({ pageSize: 0, pageToken: "", states: [], labels: {} }, done),
    );
    expect(sessions.map(({ name }) => name)).toEqual(["sessions/a", "sessions/b"]);
  });

  it("is held up when it was sent too many bytes, and its snapshots are refused meanwhile", async () => {
    await serve({ quotaBytesPerSecond: "16KiB" });
    await create("a");
    const inbox = read("sessions/a");
    await inbox.next();
    const [reader] = server.collector.sessions.get("a")?.readers ?? [];
    const cursor = "x".repeat(30_000);
    reader?.push({ cursor });
    reader?.push({ cursor: "y" });
    await inbox.next();
    let held = true;
    const next = inbox.next().finally(() => (held = false));
    expect(await refusal(snapshot())).toEqual({ reason: "BYTES_QUOTA", quota: "bytes_per_second", retry: true });
    expect(held).toBe(true);
    expect(await next).toMatchObject({ cursor: "y" });
    await snapshot();
  });

  it("is held up when it was sent too many samples", async () => {
    await serve({ quotaSamplesPerSecond: "100" });
    await create("a");
    const inbox = read("sessions/a");
    await inbox.next();
    const [reader] = server.collector.sessions.get("a")?.readers ?? [];
    if (reader === undefined) throw new Error("nobody reads");
    reader.delivered = 150;
    reader.push({ cursor: "x" });
    await inbox.next();
    expect((await refusal(snapshot())).reason).toBe("BYTES_QUOTA");
    reader.push({ cursor: "y" });
    expect(await inbox.next()).toMatchObject({ cursor: "y" });
    await snapshot();
  });

  it("is let go at once when the service drains, however much it was sent", async () => {
    await serve({ quotaBytesPerSecond: "16KiB" });
    await create("a");
    const inbox = read("sessions/a");
    await inbox.next();
    const [reader] = server.collector.sessions.get("a")?.readers ?? [];
    reader?.push({ cursor: "x".repeat(1_000_000) });
    await inbox.next();
    const stopping = server.server.stop();
    expect(await inbox.next()).toMatchObject({ event: { $case: "end" } });
    await stopping;
  });
});

it("serves health whatever the quotas", async () => {
  await serve({ quotaStreams: "0", quotaSessions: "0" });
  const answer = await unary<{ status: number }>((done) => server.health.check({ service: "" }, done));
  expect(answer.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
});
