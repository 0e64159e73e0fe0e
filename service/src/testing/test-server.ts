import { credentials, type ServiceError } from "@grpc/grpc-js";
import { NodeServiceClient, SampleServiceClient, SessionServiceClient } from "@latscope/proto";
import { HealthClient } from "@latscope/proto/grpc/health";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig, type RawConfig } from "../config/load.js";
import { createLogger } from "../log/logger.js";
import { GrpcServer } from "../server/grpc-server.js";
import { CollectorDouble } from "./collector-double.js";

/** A server on a unix socket of its own, over the double of the collector, and clients for it. */
export async function startTestServer(flags: RawConfig = {}) {
  const folder = await mkdtemp(join(tmpdir(), "latscope-"));
  const socket = join(folder, "latscope.sock");
  const collector = new CollectorDouble();
  const config = loadConfig({ socket, node: "test", socketGroup: "root", ...flags }, {});
  const server = new GrpcServer(config, collector, await createLogger("silent"), () => 1000);
  const listening = await server.start();
  const address = `unix:${socket}`;
  const insecure = credentials.createInsecure();
  const clients = {
    sessions: new SessionServiceClient(address, insecure),
    samples: new SampleServiceClient(address, insecure),
    nodes: new NodeServiceClient(address, insecure),
    health: new HealthClient(address, insecure),
  };
  const stop = async (): Promise<void> => {
    for (const client of Object.values(clients)) client.close();
    await server.stop();
    await rm(folder, { recursive: true });
  };
  return { collector, server, listening, socket, address, stop, ...clients };
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
