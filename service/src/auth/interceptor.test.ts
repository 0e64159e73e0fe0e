import { credentials, Server, ServerCredentials, status, type ServiceError } from "@grpc/grpc-js";
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthClient,
  HealthService,
  type HealthServer,
} from "@latscope/proto/grpc/health";
import { once } from "node:events";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { noAudit } from "../audit/audit.js";
import { Failure } from "../failure/failure.js";
import type { Logger } from "../log/logger.js";
import { callerOf, type Caller } from "../rpc/caller.js";
import { identity } from "../rpc/identity.js";
import type { Connection } from "../server/connections.js";
import { answerUnknownMethods } from "../server/unknown-method.js";
import { summaryOf } from "../testing/status-details.js";
import { unary } from "../testing/test-server.js";
import { authenticating } from "./interceptor.js";
import { OpenCalls } from "./open-calls.js";
import { lasting } from "./credential.js";
import { unixPrincipal } from "./principal.js";

const known: Connection = {
  peer: "unix",
  authenticate: () => lasting(unixPrincipal({ uid: 7, gids: [8] })),
  authenticated: () => undefined,
};
let connection: Connection | undefined;
let server: Server;
let client: HealthClient;
let callers: Caller[];
const debug = vi.fn();

beforeEach(async () => {
  connection = known;
  callers = [];
  debug.mockClear();
  const log = { debug, warn: vi.fn(), error: vi.fn() } as unknown as Logger;
  server = new Server({
    interceptors: [
      authenticating({
        connectionOf: () => connection,
        admit: () => undefined,
        calls: new OpenCalls(),
        log,
        audit: noAudit,
      }),
    ],
  });
  answerUnknownMethods(server);
  const service: HealthServer = {
    check: (call, done) => {
      callers.push(callerOf(call));
      done(null, { status: ServingStatus.SERVING });
    },
    list: (call) => callers.push(callerOf(call)),
    watch: (call) => callers.push(callerOf(call)),
  };
  server.addService(HealthService, service);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  client = new HealthClient(`127.0.0.1:${port}`, credentials.createInsecure());
});
afterEach(() => {
  client.close();
  server.forceShutdown();
});

const check = () => unary((done) => client.check({ service: "" }, done));
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => expect.fail("it succeeded"),
    (error: unknown) => error as ServiceError,
  );
/** A call of each kind to a method that is not there. */
const unknownMethods = {
  unary: () =>
    failureOf(unary((done) => client.makeUnaryRequest("/a.B/C", identity, identity, Buffer.from("x"), done))),
  stream: async () => {
    const stream = client.makeServerStreamRequest("/a.B/C", identity, identity, Buffer.from("x")).resume();
    const [error] = (await once(stream, "error")) as [ServiceError];
    return error;
  },
};
const records = () =>
  debug.mock.calls.filter(([, message]) => message === "call ended").map(([record]) => record as unknown);
const recorded = (count: number) =>
  vi.waitFor(() => {
    expect(records()).toHaveLength(count);
    return records();
  });

it("tells the handler who calls, and the log how it went", async () => {
  await check();
  const method = "/grpc.health.v1.Health/Check";
  const [caller] = callers;
  expect(caller).toMatchObject({ owner: "uid:7", peer: "unix", method, principal: { kind: "unix", uid: 7 } });
  const record = {
    method,
    peer: "unix",
    principal: "uid:7",
    status: status.OK,
    durationMs: expect.any(Number) as number,
  };
  expect(await recorded(1)).toEqual([expect.objectContaining(record)]);
});

it("tells of a call that its client gave up", async () => {
  const call = client.list({}, () => undefined);
  await vi.waitFor(() => {
    expect(callers).toHaveLength(1);
  });
  call.cancel();
  expect(await recorded(1)).toEqual([expect.objectContaining({ status: status.CANCELLED })]);
});

it.each(Object.entries(unknownMethods))("answers a method that is not there, with details: %s", async (_, call) => {
  expect(summaryOf(await call())).toMatchObject({ code: status.UNIMPLEMENTED, reason: "METHOD_UNKNOWN" });
  expect(await recorded(1)).toEqual([
    expect.objectContaining({ method: "/a.B/C", principal: "uid:7", reason: "METHOD_UNKNOWN" }),
  ]);
});

it.each([["check", () => failureOf(check())] as const, ...Object.entries(unknownMethods)])(
  "lets nobody in who cannot be told, whatever is asked: %s",
  async (_, call) => {
    connection = undefined;
    expect(summaryOf(await call())).toMatchObject({ code: status.UNAUTHENTICATED, reason: "CREDENTIALS_MISSING" });
    expect(callers).toEqual([]);
    const refused = { status: status.UNAUTHENTICATED, reason: "CREDENTIALS_MISSING" };
    expect(await recorded(1)).toEqual([expect.objectContaining(refused)]);
  },
);

it("ends a stream whose handler does not, a moment after its caller may no longer read", async () => {
  const stream = client.watch({ service: "" });
  const ended = once(stream.resume(), "error") as Promise<[ServiceError]>;
  await vi.waitFor(() => {
    expect(callers).toHaveLength(1);
  });
  callers[0]?.revoke(Failure.of("ACCESS_REVOKED", "no more"));
  const [error] = await ended;
  expect(summaryOf(error)).toMatchObject({ code: status.UNAUTHENTICATED, reason: "ACCESS_REVOKED" });
  expect(await recorded(1)).toEqual([expect.objectContaining({ reason: "ACCESS_REVOKED", principal: "uid:7" })]);
});
