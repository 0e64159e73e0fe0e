import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import {
  DeleteSessionRequest,
  EndReason,
  GetSessionRequest,
  SessionState,
  StopSessionRequest,
  UpdateSessionRequest,
  WatchSessionsRequest,
  type GetSessionResponse,
  type Session,
  type WatchSessionsResponse,
} from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { unary, type Client } from "../harness/client.js";
import { run } from "../harness/command.js";
import { Endpoint } from "../harness/endpoint.js";
import { eventually } from "../harness/eventually.js";
import { failureOf } from "../harness/failure.js";
import { Namespace } from "../harness/netns.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { LATSCOPE, Service, temporaryFolder } from "../harness/service.js";
import { smallDisk } from "../harness/small-disk.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";

const PORTS = [443, 8443] as const;

const scope = scopeOfEachTest();

const edge = (port: number, label: string): string => `
labels: { seen: ${label} }
spec:
  probes: [{ tcp: { metrics: [METRIC_TCP_HANDSHAKE_REMOTE] } }]
  interfaces: [${CLIENT.interface}]
  filters: [{ server_ports: [{ first: ${port} }] }]
`;

async function get(client: Client, name: string): Promise<Session | undefined> {
  const request = GetSessionRequest.fromPartial({ name });
  return (await unary<GetSessionResponse>((answer) => client.sessions.getSession(request, answer))).session;
}

/** What WatchSessions tells, as it comes. */
class Watched {
  readonly #call;
  readonly events: NonNullable<WatchSessionsResponse["event"]>[] = [];

  constructor({ sessions }: Client) {
    this.#call = sessions.watchSessions(WatchSessionsRequest.fromPartial({}));
    this.#call.on("data", ({ event }: WatchSessionsResponse) => event !== undefined && this.events.push(event));
    this.#call.on("error", () => undefined);
    scope.defer(() => {
      this.#call.cancel();
      return Promise.resolve();
    });
  }

  /** Waits until it tells this of a session. */
  async has(what: string, wanted: (session: Session) => boolean): Promise<Session> {
    const find = (): Session | undefined =>
      this.events.flatMap((event) => (event.$case === "session" && wanted(event.value) ? [event.value] : [])).at(-1);
    await eventually(what, () => find() !== undefined);
    return find() ?? expect.fail();
  }

  async tellsGone(name: string): Promise<void> {
    const gone = (): boolean => this.events.some((event) => event.$case === "deleted" && event.value === name);
    await eventually(`${name} is gone`, gone);
  }
}

test("a session runs as its file says, for as long as there is one", async () => {
  const network = await direct(scope);
  const folder = await temporaryFolder(scope);
  const service = await Service.start(scope, network.client, { flags: ["--session-dir", folder] });
  const [client, server] = await Promise.all([
    Endpoint.start(scope, network.client),
    Endpoint.start(scope, network.server),
  ]);
  for (const port of PORTS) await server.listen(port);
  const connect = async (): Promise<void> => {
    for (const port of PORTS) await (await client.connect(SERVER.v4, port)).close();
  };
  const watched = new Watched(service.client);

  await writeFile(join(folder, "edge.yaml"), edge(443, "first"));
  const running = await watched.has("it runs", ({ state }) => state === SessionState.RUNNING);
  expect(running).toMatchObject({ name: "sessions/edge", owner: "file:edge.yaml", labels: { seen: "first" } });
  expect(running.effectiveSpec?.limits?.idleTimeout).toBeUndefined();
  const stream = service.client.stream({ session: "sessions/edge" });
  await stream.started();
  await connect();
  await eventually("a handshake is measured", () => stream.samples.length > 0);

  // Live: the very stream goes on.
  await writeFile(join(folder, "edge.yaml"), edge(8443, "second"));
  await watched.has("its labels change", ({ labels }) => labels["seen"] === "second");
  await connect();
  const ports = (): (number | undefined)[] => stream.samples.map(({ flow }) => flow?.serverPort);
  await eventually("another is measured", () => stream.samples.length > 1);
  expect(ports()).toEqual([443, 8443]);

  await writeFile(join(folder, "edge.yaml"), edge(443, "third").replace("first:", "frist:"));
  await service.process.stderrHas("edge.yaml:6:");
  expect((await service.client.status()).sessionFiles).toEqual([
    {
      file: "edge.yaml",
      session: "sessions/edge",
      failing: 'edge.yaml:6: latscope.v1.PortRange has no field "frist"; did you mean "first"?',
    },
  ]);
  expect(await get(service.client, "sessions/edge")).toMatchObject({
    labels: { seen: "second" },
    state: SessionState.RUNNING,
    startTime: running.startTime,
  });

  const { sessions } = service.client;
  const name = "sessions/edge";
  const refused = [
    unary((done) => sessions.stopSession(StopSessionRequest.fromPartial({ name }), done)),
    unary((done) => sessions.deleteSession(DeleteSessionRequest.fromPartial({ name, force: true }), done)),
    unary((done) => {
      const request = { session: { name, displayName: "mine" }, updateMask: ["display_name"] };
      return sessions.updateSession(UpdateSessionRequest.fromPartial(request), done);
    }),
  ];
  for (const call of refused) expect((await failureOf(call)).reason).toBe("OWNED_BY_FILE");

  await rm(join(folder, "edge.yaml"));
  await watched.tellsGone("sessions/edge");
  expect((await stream.ended()).reason).toBe(EndReason.SESSION_STOPPED);
  expect(ports()).toEqual([443, 8443]);
  expect((await failureOf(get(service.client, "sessions/edge"))).reason).toBe("SESSION_NOT_FOUND");
});

test("a session survives the death of the service, under its name and with a new epoch", async () => {
  const network = await direct(scope);
  const folder = await temporaryFolder(scope);
  const [declared, state] = [join(folder, "declared"), join(folder, "state")];
  await mkdir(declared);
  await writeFile(join(declared, "edge.yaml"), edge(443, "file"));
  const flags = ["--session-dir", declared, "--state-dir", state];
  const socket = join(await temporaryFolder(scope), "latscope.sock");
  const first = await Service.start(scope, network.client, { flags, socket });
  const server = await Endpoint.start(scope, network.server);
  await server.listen(443);
  const spec = {
    probes: [{ tcp: { metrics: ["METRIC_TCP_HANDSHAKE_REMOTE"] } }],
    interfaces: [CLIENT.interface],
    limits: { duration: { seconds: "3600" } },
  };
  const mine = await first.client.create(spec, "mine");
  await first.client.create(spec, "over");
  await first.client.watch(spec);
  await unary((done) =>
    first.client.sessions.stopSession(StopSessionRequest.fromPartial({ name: "sessions/over" }), done),
  );
  const stream = first.client.stream({ session: "sessions/mine" });
  const { cursor } = (await stream.next()) ?? expect.fail();
  const written = join(state, "sessions.json");
  await eventually("it is written down", async () => {
    const { stdout } = await run(["cat", written]);
    return stdout.includes("sessions/mine") && !stdout.includes("sessions/over");
  });
  first.process.kill("SIGKILL");
  await first.process.exit;

  const second = await Service.start(scope, network.client, { flags, socket });
  const back = await get(second.client, "sessions/mine");
  const { owner, labels, spec: asked, createTime } = mine;
  expect(back).toMatchObject({ owner, labels, spec: asked, createTime, state: SessionState.RUNNING });
  expect(await get(second.client, "sessions/edge")).toMatchObject({
    owner: "file:edge.yaml",
    labels: { seen: "file" },
  });
  expect((await failureOf(get(second.client, "sessions/over"))).reason).toBe("SESSION_NOT_FOUND");
  expect(await second.client.status()).toMatchObject({ sessions: 2, sessionState: { path: written, failing: "" } });
  // Its numbers are another session's; who resumes is told so, and begins anew.
  const resumed = second.client.stream({ session: "sessions/mine", cursor });
  expect((await failureOf(resumed.next())).reason).toBe("CURSOR_INVALID");
  const anew = second.client.stream({ session: "sessions/mine", position: "POSITION_OLDEST" });
  await anew.started();
  const client = await Endpoint.start(scope, network.client);
  await (await client.connect(SERVER.v4, 443)).close();
  await eventually("it measures again", () => anew.samples.length === 1);
  expect(await second.stop()).toEqual({ code: 0, signal: null });
});

describe("the memory of sessions", () => {
  test("does without a full disk for a while, says so once, and catches up", async () => {
    const disk = await smallDisk(scope);
    const filler = join(disk, "filler");
    await run(["dd", "if=/dev/zero", `of=${filler}`, "bs=1k"]);
    const namespace = await Namespace.create(scope);
    const flags = ["--state-dir", join(disk, "state")];
    const socket = join(await temporaryFolder(scope), "latscope.sock");
    const service = await Service.start(scope, namespace, { flags, socket });
    await service.process.stderrHas("cannot be written");
    await service.client.create({ probes: [{ tcp: {} }], interfaces: ["lo"] }, "kept");
    expect((await service.client.status()).sessionState?.failing).toContain("ENOSPC");
    await truncate(filler, 0);
    await eventually("it is written", async () => (await service.client.status()).sessionState?.failing === "");
    service.process.kill("SIGKILL");
    await service.process.exit;
    expect(service.process.stderr.match(/cannot be written/g)).toHaveLength(1);
    const again = await Service.start(scope, namespace, { flags, socket });
    expect(await get(again.client, "sessions/kept")).toMatchObject({ state: SessionState.RUNNING });
  });

  test("that is no longer readable is put aside, and the service starts without it", async () => {
    const state = await temporaryFolder(scope);
    await writeFile(join(state, "sessions.json"), '{"version":1,"sess');
    const service = await Service.start(scope, await Namespace.create(scope), { flags: ["--state-dir", state] });
    await service.process.stderrHas("no session comes back");
    expect(await service.client.status()).toMatchObject({ sessions: 0, sessionState: { failing: "" } });
    expect((await run(["cat", join(state, "sessions.json.broken")])).stdout).toBe('{"version":1,"sess');
  });
});

test("a folder of sessions that is not there is told before anything runs", async () => {
  const missing = join(await temporaryFolder(scope), "none");
  const flags = ["--session-dir", missing, "--socket", join(dirname(missing), "latscope.sock"), "--audit", "off"];
  const { code, stderr } = await run([...LATSCOPE, "serve", ...flags]);
  expect(code).toBe(2);
  expect(stderr).toContain(`latscope: ${missing}: ENOENT`);
});
