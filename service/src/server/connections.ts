import { ServerCredentials, type Server } from "@grpc/grpc-js";
import type { Socket } from "node:net";

/**
 * The connections of a gRPC server, accepted by listeners of our own: grpc-js cannot set a unix socket's mode, nor close every
 * connection when it is told to stop at once.
 */
export class Connections {
  readonly #open = new Set<Socket>();
  readonly #injector: ReturnType<Server["createConnectionInjector"]>;

  constructor(server: Server) {
    this.#injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /** Hands a fresh connection to the gRPC server. */
  readonly accept = (socket: Socket): void => {
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    // Small messages must not wait for the acknowledgement of the one before.
    socket.setNoDelay(true);
    this.#injector.injectConnection(socket);
  };

  /** Resolves when the last of them is closed. */
  async closed(): Promise<void> {
    await Promise.all([...this.#open].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }

  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
