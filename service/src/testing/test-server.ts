import { credentials, type Client, type ServiceError } from "@grpc/grpc-js";
import { NodeServiceClient, SampleServiceClient, SessionServiceClient } from "@latscope/proto";
import { HealthClient } from "@latscope/proto/grpc/health";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Policies } from "../auth/policy/policies.js";
import { loadConfig, type RawConfig } from "../config/load.js";
import { createLogger } from "../log/logger.js";
import { GrpcServer } from "../server/grpc-server.js";
import { CollectorDouble } from "./collector-double.js";

/** What a test server is besides its configuration. */
export interface TestServerOptions {
  /** Who may do what; default: as without a policy file. */
  policies?: Policies;
  /** Who its own clients are. */
  uid?: number;
}

/** A server on a unix socket of its own, over the double of the collector, and clients for it. */
export async function startTestServer(flags: RawConfig = {}, { policies, uid = 1000 }: TestServerOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), "latscope-"));
  const socket = join(folder, "latscope.sock");
  const collector = new CollectorDouble();
  let peer = uid;
  const config = loadConfig({ socket, node: "test", socketGroup: "root", ...flags }, {});
  const server = new GrpcServer(config, collector, await createLogger("silent"), () => ({ uid: peer, gids: [peer] }), {
    ...(policies === undefined ? {} : { policies }),
  });
  const listening = await server.start();
  const address = `unix:${socket}`;
  const all: Client[] = [];
  /** Clients of somebody else: whoever is asked for last when a connection is made is its peer. */
  const clientsOf = async (uid: number) => {
    peer = uid;
    // Otherwise they would share a connection with everybody else's.
    const own = { "grpc.use_local_subchannel_pool": 1 };
    const insecure = credentials.createInsecure();
    const clients = {
      sessions: new SessionServiceClient(address, insecure, own),
      samples: new SampleServiceClient(address, insecure, own),
      nodes: new NodeServiceClient(address, insecure, own),
      health: new HealthClient(address, insecure, own),
    };
    all.push(...Object.values(clients));
    for (const client of Object.values(clients)) {
      await new Promise<void>((resolve, reject) => {
        client.waitForReady(Date.now() + 10_000, (error) => {
          if (error === undefined) resolve();
          else reject(error);
        });
      });
    }
    return clients;
  };
  const clients = await clientsOf(uid);
  const stop = async (): Promise<void> => {
    for (const client of all) client.close();
    await server.stop();
    await rm(folder, { recursive: true });
  };
  return { collector, server, listening, socket, address, stop, clientsOf, ...clients };
}

export type TestServer = Awaited<ReturnType<typeof startTestServer>>;

/** Awaits a unary call: `unary((done) => client.getSession(request, done))`. */
export function unary<Response>(
  start: (done: (error: ServiceError | null, response: Response) => void) => unknown,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    start((error, response) => {
      if (error === null) resolve(response);
      else reject(error);
    });
  });
}
