import { UpdateSessionRequest, type GetStatusResponse, type ListSessionsResponse } from "@latscope/proto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parsePolicy } from "../auth/policy/parse.js";
import { Policies } from "../auth/policy/policies.js";
import { summaryOf } from "../testing/status-details.js";
import { startTestServer, unary, type TestServer } from "../testing/test-server.js";

const [ROOT, ALICE] = [0, 1];
const name = "sessions/edge";
const rules = `
rules:
  - { name: root, principals: [{ uid: ${ROOT} }], role: admin, targets: all }
  - { name: alice, principals: [{ uid: ${ALICE} }], role: operator, targets: all }
`;

let folder: string;
let server: TestServer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latscope-"));
  await writeFile(join(folder, "edge.yaml"), "spec: { probes: [{ tcp: {} }] }");
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

type Clients = Awaited<ReturnType<TestServer["clientsOf"]>>;

const changes: [string, (clients: Clients) => Promise<unknown>][] = [
  ["StopSession", ({ sessions }) => unary((done) => sessions.stopSession({ name, etag: "" }, done))],
  ["DeleteSession", ({ sessions }) => unary((done) => sessions.deleteSession({ name, etag: "", force: true }, done))],
  [
    "UpdateSession",
    ({ sessions }) => {
      const request = { session: { name, labels: { mine: "yes" } }, updateMask: ["labels"] };
      return unary((done) => sessions.updateSession(UpdateSessionRequest.fromPartial(request), done));
    },
  ],
];

describe.each([
  ["without a policy file", undefined],
  ["with one", rules],
])("the session of a file, %s", (_, text) => {
  const policies = (): Policies | undefined =>
    text === undefined ? undefined : new Policies({ current: parsePolicy("p", text), subscribe: () => undefined });

  it.each([ROOT, ALICE])("is for uid %d to see, and for its file to change", async (uid) => {
    const own = policies();
    server = await startTestServer({ sessionDir: folder }, { uid, ...(own === undefined ? {} : { policies: own }) });
    const listed = await unary<ListSessionsResponse>((done) =>
      server.sessions.listSessions({ pageSize: 0, pageToken: "", states: [], labels: {} }, done),
    );
    expect(listed.sessions.map(({ name, owner }) => [name, owner])).toEqual([[name, "file:edge.yaml"]]);
    for (const [method, change] of changes) {
      const error: unknown = await change(server).catch((error: unknown) => error);
      expect([method, summaryOf(error)]).toEqual([method, expect.objectContaining({ reason: "OWNED_BY_FILE" })]);
    }
    const { nodes } = await unary<GetStatusResponse>((done) => server.nodes.getStatus({ nodes: undefined }, done));
    expect(nodes[0]).toMatchObject({ sessions: 1, sessionFiles: [{ file: "edge.yaml", session: name, failing: "" }] });
    expect(nodes[0]?.sessionState).toBeUndefined();
  });
});
