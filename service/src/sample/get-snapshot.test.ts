import { status } from "@grpc/grpc-js";
import { CreateSessionRequest, GetSnapshotRequest, NodeState, type GetSnapshotResponse } from "@latscope/proto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { summaryOf } from "../testing/status-details.js";
import { startTestServer, unary, type TestServer } from "../testing/test-server.js";

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
  await unary((done) =>
    server.sessions.createSession(
      CreateSessionRequest.fromPartial({
        sessionId: "a",
        session: { spec: { probes: [{ kind: { $case: "tcp", value: {} } }] } },
      }),
      done,
    ),
  );
});
afterEach(async () => {
  await server.stop();
});

const ask = (request: Parameters<typeof GetSnapshotRequest.fromPartial>[0]) =>
  unary<GetSnapshotResponse>((done) => server.samples.getSnapshot(GetSnapshotRequest.fromPartial(request), done));

it("hands on what the collector answers to the whole request", async () => {
  const response = await ask({ session: "sessions/a", quantiles: [0.5], orderBy: "p99", window: { seconds: 9n } });
  expect(response).toMatchObject({
    totalGroups: 1,
    groups: [{ count: 7n, group: { keys: { node: "nodes/test" } } }],
    failures: [],
  });
  expect(server.collector.sessions.get("a")?.snapshots).toMatchObject([
    { quantiles: [0.5], orderBy: "p99", window: { seconds: 9n } },
  ]);
});

it("can be asked of a session that has stopped", async () => {
  await unary((done) => server.sessions.stopSession({ name: "sessions/a", etag: "" }, done));
  expect((await ask({ session: "sessions/a" })).totalGroups).toBe(1);
});

it("says of nodes that it is not what it does not know", async () => {
  const both = await ask({ session: "sessions/a", nodes: { nodes: ["nodes/test", "nodes/other"] } });
  expect(both).toMatchObject({ totalGroups: 1, failures: [{ node: "nodes/other", state: NodeState.GONE }] });
  const other = await ask({ session: "sessions/a", nodes: { nodes: ["nodes/other"] } });
  expect(other).toMatchObject({ totalGroups: 0, groups: [], failures: [{ node: "nodes/other" }] });
});

it.each([
  ["", status.INVALID_ARGUMENT, "FIELD_REQUIRED", ["session"]],
  ["a", status.INVALID_ARGUMENT, "FIELD_INVALID", ["session"]],
  ["sessions/none", status.NOT_FOUND, "SESSION_NOT_FOUND", []],
])("refuses the session %j", async (session, code, reason, fields) => {
  const error = await ask({ session }).catch((error: unknown) => error);
  expect(summaryOf(error)).toEqual({ code, reason, fields });
});
