import { ServerCredentials, type Server } from "@grpc/grpc-js";
import type { Socket } from "node:net";
import { unixPeer } from "../rpc/peer.js";

/**
 * The connections of a gRPC server, accepted by listeners of our own: grpc-js cannot set a unix socket's mode, nor close every
 * connection when it is told to stop at once.
 */
export class Connections {
  readonly #open = new Set<Socket>();
  readonly #injector: ReturnType<Server["createConnectionInjector"]>;

  readonly #peerUid: (descriptor: number) => number | null;

  /** @param peerUid who is at the other end of a unix socket */
  constructor(server: Server, peerUid: (descriptor: number) => number | null) {
    this.#peerUid = peerUid;
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

  /** The same for one to a unix socket: whose process it is decides whose its sessions are. */
  readonly acceptLocal = (socket: Socket): void => {
    const { _handle: handle } = socket as Socket & { _handle?: { fd?: number } | null };
    const uid = this.#peerUid(handle?.fd ?? -1);
    // grpc-js passes on what the socket says of its address, of which a unix socket has none.
    if (uid !== null) Object.defineProperty(socket, "remoteAddress", { value: unixPeer(uid) });
    this.accept(socket);
  };

  /** Resolves when the last of them is closed. */
  async closed(): Promise<void> {
    await Promise.all([...this.#open].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }

  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
