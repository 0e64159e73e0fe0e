import { Server, ServerCredentials } from "@grpc/grpc-js";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { formatAddress, type ListenAddress } from "../config/listen.js";
import type { Config } from "../config/schema.js";
import type { Health } from "../health/health.js";
import { healthDefinition, healthService } from "../health/service.js";
import { serverOptions } from "./options.js";
import { listenTcp } from "./tcp.js";

/** A probe asks one thing at a time. */
const callsPerConnection = 10;
const mostConnections = 100;

/** The health service alone, in plaintext and for everybody: for probes that can neither show who they are nor speak TLS. */
export class HealthServer {
  readonly #server: Server;
  readonly #listener: NetServer;
  readonly #sockets = new Set<Socket>();

  constructor(config: Pick<Config, "maxConnectionAge">, health: Health) {
    this.#server = new Server({ ...serverOptions(config), "grpc.max_concurrent_streams": callsPerConnection });
    this.#server.addService(healthDefinition, healthService(health));
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      injector.injectConnection(socket);
    });
    this.#listener.maxConnections = mostConnections;
  }

  /** @returns `HOST:PORT`, with the port that it got @throws ListenError */
  async listen(address: ListenAddress): Promise<string> {
    return formatAddress(await listenTcp(this.#listener, address));
  }

  close(): void {
    this.#listener.close();
    this.#server.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
  }
}
