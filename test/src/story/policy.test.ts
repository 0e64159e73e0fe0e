import { chmod, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";

import { run } from "../harness/command.js";
import { Endpoint } from "../harness/endpoint.js";
import { eventually } from "../harness/eventually.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service, temporaryFolder } from "../harness/service.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";

const PORT = 443;
const NOBODY = 65_534;
/** A group of theirs besides their own. */
const TENANTS = 47_110;
const SPEC = { probes: [{ tcp: { metrics: ["METRIC_TCP_HANDSHAKE_REMOTE"] } }], interfaces: [CLIENT.interface] };
const SERVICE = "latscope.v1.SessionService";
const SAMPLES = "latscope.v1.SampleService";

const scope = scopeOfEachTest();

function policy(cidr: string): string {
  return `
rules:
  - { name: root, principals: [{ uid: 0 }], role: admin, targets: all }
  - name: tenant
    principals: [{ uid: ${NOBODY}, gid: ${TENANTS} }]
    role: operator
    targets: { cidrs: [${cidr}] }
`;
}

/** What grpcurl prints as somebody else: the messages, or the failure. */
async function asNobody(
  socket: string,
  method: string,
  request: unknown,
): Promise<{ messages: Json[]; failed: string }> {
  // The group may use the socket.
  const who = ["setpriv", `--reuid=${NOBODY}`, "--regid=0", `--groups=${TENANTS}`, "--"];
  const grpcurl = ["grpcurl", "-plaintext", "-unix", "-d", JSON.stringify(request), socket, method];
  const { stdout, stderr } = await run([...who, ...grpcurl]);
  const texts = stdout.split(/^(?=\{)/m).filter((text) => text.trim() !== "");
  return { messages: texts.map((text) => JSON.parse(text) as Json), failed: stderr };
}

type Json = Record<string, unknown>;

test("a tenant measures and reads what its rule allows, and nothing else", async () => {
  const network = await direct(scope);
  const socket = join(await temporaryFolder(scope), "latscope.sock");
  await chmod(dirname(socket), 0o711);
  const file = join(await temporaryFolder(scope), "policy.yaml");
  await writeFile(file, policy(`${SERVER.v4}/32`));
  const service = await Service.start(scope, network.client, { socket, flags: ["--policy", file] });
  const client = await Endpoint.start(scope, network.client);
  const server = await Endpoint.start(scope, network.server);
  await server.listen(PORT);

  const { messages, failed } = await asNobody(socket, `${SERVICE}/CreateSession`, {
    session: { spec: SPEC },
    session_id: "narrow",
  });
  expect(failed).toBe("");
  expect(messages[0]).toMatchObject({
    session: { owner: `uid:${NOBODY}`, effectiveSpec: { filters: [{ cidrs: [`${SERVER.v4}/32`] }] } },
  });
  await service.client.create(SPEC, "wide");
  for (const address of [SERVER.v4, SERVER.v6]) await (await client.connect(address, PORT)).close();
  const measured = async (name: string): Promise<number> => {
    const stream = service.client.stream({ session: `sessions/${name}`, noFollow: true });
    await stream.ended();
    return stream.samples.length;
  };
  await eventually("both flows are read", async () => (await measured("wide")) === 2);
  expect(await measured("narrow")).toBe(1);

  const read = await asNobody(socket, `${SAMPLES}/StreamSamples`, { session: "sessions/wide", no_follow: true });
  const rows = read.messages.flatMap(({ rows }) => (rows as { samples: Json[] } | undefined)?.samples ?? []);
  expect(rows.map(({ flow }) => (flow as Json)["serverAddress"])).toEqual([SERVER.v4]);
  const start = read.messages[0]?.["start"] as Json;
  expect(start["readerFilters"]).toMatchObject([{ cidrs: [`${SERVER.v4}/32`] }]);
  for (const method of [`${SAMPLES}/GetSnapshot`, `${SAMPLES}/StreamHistograms`]) {
    expect((await asNobody(socket, method, { session: "sessions/wide" })).failed).toContain("PermissionDenied");
  }
  expect((await asNobody(socket, `${SAMPLES}/GetSnapshot`, { session: "sessions/narrow" })).failed).toBe("");

  const other = await asNobody(socket, `${SERVICE}/CreateSession`, {
    session: { spec: { probes: [{ run_queue: {} }] } },
  });
  expect(other.failed).toContain("session.spec.probes[0]: run_queue needs allowed cgroups");

  await writeFile(file, "rules: []");
  await eventually("the new policy is in force", async () => {
    const { failed } = await asNobody(socket, `${SERVICE}/ListSessions`, {});
    return failed.includes(`no rule of the policy names uid:${NOBODY}`);
  });
});
