import { ServerCredentials, type Server, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { PeerOf } from "../addon/types.js";
import { refuseToken } from "../auth/bearer.js";
import { lasting, type Credential } from "../auth/credential.js";
import { insecurePrincipal, unixPrincipal } from "../auth/principal.js";
import { addressOf } from "./tcp.js";

/** Tells who makes a call, by its token or by what the connection itself shows; throws, or rejects with, a Failure UNAUTHENTICATED. */
export type Authenticate = (token: string | undefined) => Credential | Promise<Credential>;

/** An accepted connection. */
export interface Connection {
  /** Where from: `10.0.0.7:51334`, or `unix`. */
  readonly peer: string;
  readonly authenticate: Authenticate;
  /** Somebody has shown on it who it is. */
  authenticated(): void;
}

/**
 * The connections of a gRPC server, accepted by listeners of our own: grpc-js cannot set a unix socket's mode, nor close every
 * connection when it is told to stop at once, nor say who is at the other end.
 */
export class Connections {
  readonly #open = new Map<string, Connection & { socket: Socket }>();
  readonly #injector: ReturnType<Server["createConnectionInjector"]>;
  readonly #peerOf: PeerOf;
  #accepted = 0;

  /** @param peerOf who is at the other end of a unix socket */
  constructor(server: Server, peerOf: PeerOf) {
    this.#peerOf = peerOf;
    this.#injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /** Takes a connection to a unix socket: whose process it is decides whose its sessions are. */
  readonly acceptLocal = (socket: Socket): void => {
    const { _handle: handle } = socket as Socket & { _handle?: { fd?: number } | null };
    const peer = this.#peerOf(handle?.fd ?? -1);
    if (peer === null) socket.destroy();
    else this.#accept(socket, "unix", always(lasting(unixPrincipal(peer))));
  };

  /** Takes a connection to a plaintext TCP port. */
  readonly acceptInsecure = (socket: Socket): void => {
    this.#accept(socket, addressOf(socket), always(lasting(insecurePrincipal)));
  };

  /** Takes a connection whose TLS handshake is done. @param authenticated called once somebody has shown on it who it is */
  acceptTls(socket: TLSSocket, authenticate: Authenticate, authenticated: () => void): void {
    this.#accept(socket, addressOf(socket), authenticate, authenticated);
  }

  /** The connection that a call came on. */
  readonly of = (call: ServerInterceptingCallInterface): Connection | undefined => {
    return this.#open.get(call.getConnectionInfo().remoteAddress ?? "");
  };

  #accept(socket: Socket, peer: string, authenticate: Authenticate, authenticated = (): void => undefined): void {
    this.#accepted += 1;
    const name = `connection ${this.#accepted}`;
    // Of a connection grpc-js passes on to its calls what the socket says of its address, and nothing else.
    Object.defineProperty(socket, "remoteAddress", { value: name });
    this.#open.set(name, { peer, authenticate, authenticated, socket });
    socket.once("close", () => this.#open.delete(name));
    // Small messages must not wait for the acknowledgement of the one before.
    socket.setNoDelay(true);
    this.#injector.injectConnection(socket);
  }

  /** Resolves when the last of them is closed. */
  async closed(): Promise<void> {
    const sockets = [...this.#open.values()].map(({ socket }) => socket);
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }

  destroyAll(): void {
    for (const { socket } of this.#open.values()) socket.destroy();
  }
}

/** For connections that take no tokens. */
function always(credential: Credential): Authenticate {
  return (token) => {
    refuseToken(token);
    return credential;
  };
}
