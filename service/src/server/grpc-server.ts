import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Server as NetServer } from "node:net";
import type { Collector } from "../addon/types.js";
import { formatAddress } from "../config/listen.js";
import type { Config } from "../config/schema.js";
import { Health, ServingStatus } from "../health/health.js";
import type { Logger } from "../log/logger.js";
import { StreamCount } from "../rpc/context.js";
import { Sessions } from "../session/sessions.js";
import { serverOptions } from "./options.js";
import { addServices, serviceNames } from "./services.js";
import { listenTcp } from "./tcp.js";
import { listenUnix, socketGroup, type SocketGroup } from "./unix-socket.js";

/** Where a running server can be reached. */
export interface Listening {
  socket: string;
  group: SocketGroup;
  /** `HOST:PORT` each, with the ports they got. */
  tcp: string[];
}

/** The gRPC server: what it serves, where it listens, how it stops. */
export class GrpcServer {
  readonly #server = new Server(serverOptions);
  readonly #injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  readonly #health = new Health(serviceNames);
  readonly #draining = new AbortController();
  readonly #config: Config;
  readonly #collector: Collector;
  readonly #log: Logger;
  #unix: NetServer | undefined;

  constructor(config: Config, collector: Collector, log: Logger) {
    this.#config = config;
    this.#collector = collector;
    this.#log = log;
  }

  /** @throws ListenError when an address cannot be had; then nothing is left listening */
  async start(): Promise<Listening> {
    const { socket, socketGroup: groupName, listen, node, maxSessions, maxStreams } = this.#config;
    const collector = this.#collector;
    const log = this.#log;
    await addServices(this.#server, {
      collector,
      sessions: new Sessions({ collector, log, limit: maxSessions }),
      streams: new StreamCount(maxStreams),
      health: this.#health,
      draining: this.#draining.signal,
      node: `nodes/${node}`,
      log,
    });
    try {
      const group = await socketGroup(groupName);
      this.#unix = await listenUnix(socket, group, (connection) => {
        this.#injector.injectConnection(connection);
      });
      const tcp: string[] = [];
      for (const address of listen) tcp.push(formatAddress(await listenTcp(this.#server, address)));
      return { socket, group, tcp };
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** Takes no new work, lets streams say why they end, and closes: at the latest when the drain timeout is over. Idempotent. */
  async stop(): Promise<void> {
    if (this.#draining.signal.aborted) return;
    this.#health.set(ServingStatus.NOT_SERVING);
    this.#draining.abort();
    await this.#drained(this.#config.drainTimeout);
    this.#close();
  }

  #drained(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#log.warn(`some clients did not let go within ${timeoutMs} ms; closing their connections`);
        resolve();
      }, timeoutMs);
      this.#unix?.close();
      this.#server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #close(): void {
    this.#unix?.close();
    this.#server.forceShutdown();
  }
}
