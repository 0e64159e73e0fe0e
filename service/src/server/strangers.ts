import type { Server as NetServer, Socket } from "node:net";
import { addressOf } from "./tcp.js";

/** What strangers may take up. */
export interface StrangerLimits {
  /** How long a connection may last on which nobody has shown who it is. */
  timeoutMs: number;
  /** How many such connections there may be at once. */
  most: number;
}

/**
 * The connections of a listener on which nobody has shown yet who it is, from before their TLS handshake on. They end when they take
 * too long, and when there are too many the oldest goes: so that strangers that wait keep nobody out.
 */
export class Strangers {
  readonly #limits: StrangerLimits;
  /** By the address that they come from, the oldest first. */
  readonly #waiting = new Map<string, { socket: Socket; timer: NodeJS.Timeout }>();

  constructor(server: NetServer, limits: StrangerLimits) {
    this.#limits = limits;
    server.on("connection", (socket: Socket) => {
      this.#enter(socket);
    });
  }

  /** Somebody has shown on this connection who it is. @param from `HOST:PORT` */
  known(from: string): void {
    clearTimeout(this.#waiting.get(from)?.timer);
    this.#waiting.delete(from);
  }

  #enter(socket: Socket): void {
    const from = addressOf(socket);
    const timer = setTimeout(() => {
      this.#refuse(from);
    }, this.#limits.timeoutMs);
    this.#waiting.set(from, { socket, timer: timer.unref() });
    socket.once("close", () => {
      if (this.#waiting.get(from)?.socket === socket) this.known(from);
    });
    const [oldest] = this.#waiting.keys();
    if (oldest !== undefined && this.#waiting.size > this.#limits.most) this.#refuse(oldest);
  }

  #refuse(from: string): void {
    const { socket } = this.#waiting.get(from) ?? {};
    this.known(from);
    socket?.destroy();
  }
}
