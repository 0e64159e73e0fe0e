import { credentials, status } from "@grpc/grpc-js";
import {
  CreateSessionRequest,
  EndReason,
  NodeState,
  SessionServiceClient,
  StreamSamplesRequest,
  type CreateSessionResponse,
  type GetCapabilitiesResponse,
  type ListNodesResponse,
} from "@latscope/proto";
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthClient,
  type HealthCheckResponse,
} from "@latscope/proto/grpc/health";
import { ServerReflectionClient } from "@latscope/proto/grpc/reflection";
import { once } from "node:events";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addonError } from "../testing/collector-double.js";
import { Inbox } from "../testing/inbox.js";
import { summaryOf } from "../testing/status-details.js";
import { startTestServer, unary, type TestServer } from "../testing/test-server.js";
import { listenUnix } from "./unix-socket.js";

const root = { name: "root", gid: 0 };

describe("the unix socket", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "latscope-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });
  const listen = (path: string) => listenUnix(path, root, () => undefined);

  it("is open to its owner and group only, and is gone afterwards", async () => {
    const path = join(folder, "new", "a.sock");
    const server = await listen(path);
    expect(((await stat(path)).mode & 0o777).toString(8)).toBe("660");
    server.close();
    await once(server, "close");
    await expect(stat(path)).rejects.toThrow("ENOENT");
  });

  it("refuses a path that the kernel would cut, and leaves nothing behind", async () => {
    const path = join(folder, "a".repeat(107 - Buffer.byteLength(folder)));
    await expect(listen(path)).rejects.toThrow("has 108 bytes, the kernel takes at most 107");
    await expect(stat(path.slice(0, -1))).rejects.toThrow("ENOENT");
    const longest = await listen(path.slice(0, -1));
    longest.close();
    await once(longest, "close");
  });

  it("replaces what a killed service left behind", async () => {
    const path = join(folder, "a.sock");
    const code = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    const { spawn } = await import("node:child_process");
    await once(spawn(process.execPath, ["-e", code]), "exit");
    expect((await stat(path)).isSocket()).toBe(true);
    (await listen(path)).close();
  });

  it("leaves a socket alone that somebody answers on, and a file that is none", async () => {
    const path = join(folder, "a.sock");
    const other = createServer().listen(path);
    await once(other, "listening");
    await expect(listen(path)).rejects.toThrow("another service answers there");
    other.close();
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(listen(file)).rejects.toThrow("there is a file that is no socket");
  });
});

describe("the health port", () => {
  it("tells everybody the health of the service, and nothing else", async () => {
    const server = await startTestServer({ healthListen: "127.0.0.1:0" });
    const address = server.listening.health ?? "";
    const health = new HealthClient(address, credentials.createInsecure());
    const check = unary<HealthCheckResponse>((done) => health.check({ service: "" }, done));
    expect(await check).toEqual({ status: ServingStatus.SERVING });
    const sessions = new SessionServiceClient(address, credentials.createInsecure());
    const create = unary((done) => sessions.createSession(CreateSessionRequest.fromPartial({}), done));
    await expect(create).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
    health.close();
    sessions.close();
    await server.stop();
  });
});

describe("the server", () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer({
      drainTimeout: "2s",
      nodeLabel: ["site=x"],
      listen: ["127.0.0.1:0"],
      insecure: "true",
    });
  });
  afterEach(async () => {
    await server.stop();
  });

  const check = (service: string) => unary<HealthCheckResponse>((done) => server.health.check({ service }, done));

  it("listens on TCP with the port that it got", () => {
    const address = expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/) as unknown;
    expect(server.listening.tcp).toEqual([{ address, by: [] }]);
  });

  it("tells the health of each service", async () => {
    expect(await check("")).toEqual({ status: ServingStatus.SERVING });
    expect(await check("latscope.v1.SampleService")).toEqual({ status: ServingStatus.SERVING });
    await expect(check("latscope.v1.Nothing")).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it("lets a stream say why it ends, tells health watchers, and takes nothing new", async () => {
    const spec = { probes: [{ kind: { $case: "tcp" as const, value: {} } }] };
    const request = StreamSamplesRequest.fromPartial({ source: { $case: "spec", value: spec } });
    const stream = new Inbox(server.samples.streamSamples(request));
    const watch = new Inbox(server.health.watch({ service: "latscope.v1.SampleService" }));
    await stream.next();
    await watch.next();

    const stopped = server.server.stop();
    const end = await stream.next();
    expect(end.event).toMatchObject({ $case: "end", value: { reason: EndReason.DRAINING } });
    expect(await watch.next()).toEqual({ status: ServingStatus.NOT_SERVING });
    await stopped;
    expect([...server.collector.sessions.values()].every(({ closed }) => closed)).toBe(true);
    await expect(stat(server.socket)).rejects.toThrow("ENOENT");
    await expect(check("")).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it("does not wait longer for a client that does not let go than it was told to", async () => {
    server.collector.start = () => new Promise(() => undefined);
    const source = { $case: "spec" as const, value: {} };
    const stream = new Inbox(server.samples.streamSamples(StreamSamplesRequest.fromPartial({ source })));
    await check("");
    await server.server.stop();
    expect((await stream.ended).code).toBe(status.UNAVAILABLE);
  });

  it("answers for its one node", async () => {
    const nodes = { nodes: ["nodes/test", "nodes/other"], labels: {} };
    const capabilities = await unary<GetCapabilitiesResponse>((done) => server.nodes.getCapabilities({ nodes }, done));
    expect(capabilities.nodes.map(({ kernelRelease }) => kernelRelease)).toEqual(["6.18.0"]);
    expect(capabilities.failures).toEqual([
      { node: "nodes/other", state: NodeState.GONE, reason: "this service answers for nodes/test alone" },
    ]);
    const list = await unary<ListNodesResponse>((done) =>
      server.nodes.listNodes({ pageSize: 0, pageToken: "", labels: {} }, done),
    );
    expect(list.nodes).toMatchObject([
      { name: "nodes/test", state: NodeState.CONNECTED, version: "0.1.0", labels: { site: "x" } },
    ]);
    const count = async (labels: Record<string, string>): Promise<number> => {
      const { nodes } = await unary<ListNodesResponse>((done) =>
        server.nodes.listNodes({ pageSize: 1, pageToken: "", labels }, done),
      );
      return nodes.length;
    };
    expect([await count({ site: "x" }), await count({ site: "y" }), await count({ rack: "" })]).toEqual([1, 0, 0]);
  });

  it("tells the owner of a session by its unix socket, and of none by plaintext TCP", async () => {
    const spec = { probes: [{ kind: { $case: "tcp" as const, value: {} } }] };
    const request = CreateSessionRequest.fromPartial({ session: { spec } });
    const owner = async (client: SessionServiceClient): Promise<string | undefined> => {
      const { session } = await unary<CreateSessionResponse>((done) => client.createSession(request, done));
      return session?.owner;
    };
    expect(await owner(server.sessions)).toBe("uid:1000");
    const tcp = new SessionServiceClient(server.listening.tcp[0]?.address ?? "", credentials.createInsecure());
    expect(await owner(tcp)).toBe("");
    tcp.close();
  });

  it.each([
    ...["NodeService/GetCapabilities", "NodeService/GetStatus", "NodeService/ListNodes"],
    ...["SessionService/CreateSession", "SessionService/GetSession", "SessionService/ListSessions"],
    ...["SessionService/UpdateSession", "SessionService/StopSession", "SessionService/DeleteSession"],
    "SampleService/GetSnapshot",
  ])("tells what is wrong with bytes that are no message: %s", async (method) => {
    const garbage = Buffer.from("0a7fffffffff", "hex");
    const identity = (bytes: Buffer): Buffer => bytes;
    const call = unary((done) =>
      server.nodes.makeUnaryRequest(`/latscope.v1.${method}`, identity, identity, garbage, done),
    );
    const error: unknown = await call.catch((reason: unknown) => reason);
    expect(summaryOf(error)).toMatchObject({ code: status.INVALID_ARGUMENT, reason: "MESSAGE_MALFORMED" });
  });

  it.each(["NodeService/WatchNodes", "SessionService/WatchSessions", "SampleService/StreamHistograms"])(
    "tells what is wrong with bytes that are no message: %s",
    async (method) => {
      const garbage = Buffer.from("0a7fffffffff", "hex");
      const identity = (bytes: Buffer): Buffer => bytes;
      const stream = server.nodes.makeServerStreamRequest(`/latscope.v1.${method}`, identity, identity, garbage);
      stream.resume();
      const [error] = (await once(stream, "error")) as unknown[];
      expect(summaryOf(error)).toMatchObject({ code: status.INVALID_ARGUMENT, reason: "MESSAGE_MALFORMED" });
    },
  );

  it("is not held up by a client that leaves its reflection stream open", async () => {
    const reflection = new ServerReflectionClient(server.address, credentials.createInsecure());
    const stream = reflection.serverReflectionInfo();
    const answered = once(stream, "data");
    stream.write({ host: "", messageRequest: { $case: "listServices", value: "" } });
    await answered;
    const ended = once(stream, "end");
    stream.resume();
    const stopped = server.server.stop();
    await ended;
    reflection.close();
    await stopped;
  });

  it.each([new Error("secret /path"), addonError("INTERNAL", "KERNEL_ERROR", "secret", "/path")])(
    "shows nothing of an error that nobody foresaw: %s",
    async (thrown) => {
      server.collector.capabilities = () => Promise.reject(thrown);
      const call = unary((done) => server.nodes.getCapabilities({ nodes: undefined }, done));
      const error: unknown = await call.catch((reason: unknown) => reason);
      expect(summaryOf(error)).toMatchObject({ code: status.INTERNAL, reason: "INTERNAL" });
      expect((error as Error).message).toMatch(/internal error [0-9a-f-]{36}/);
      expect((error as Error).message).not.toContain("secret");
    },
  );
});
