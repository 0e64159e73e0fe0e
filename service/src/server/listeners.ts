import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { OpenCalls } from "../auth/open-calls.js";
import { openSources } from "../auth/open-sources.js";
import type { Reloading } from "../auth/reloading.js";
import { TlsAuthenticator } from "../auth/tls-authenticator.js";
import { formatAddress } from "../config/listen.js";
import type { Listener, TlsListener } from "../config/listener.js";
import type { Config } from "../config/schema.js";
import { reasonOf } from "../failure/reason-of.js";
import type { Logger } from "../log/logger.js";
import { takeActivated, type Activated } from "./activation.js";
import type { Connections } from "./connections.js";
import { ListenError } from "./listen-error.js";
import { Strangers } from "./strangers.js";
import { addressOf, listenTcp } from "./tcp.js";
import { tlsAcceptor } from "./tls.js";
import { listenUnix, socketGroup, type SocketGroup } from "./unix-socket.js";

/** How many of a listener's connections strangers may take up. */
const strangersShare = 4;
const logIntervalMs = 10_000;

/** Where a running server can be reached. */
export interface Listening {
  socket: string;
  /** Undefined for a socket that systemd has made. */
  group: SocketGroup | undefined;
  tcp: ListeningTcp[];
}

/** A TCP address that is listened on. */
export interface ListeningTcp {
  /** `HOST:PORT`, with the port that it got. */
  address: string;
  /** What lets callers in: `client certificates`, `tokens`, `JWTs`; nothing does on plaintext. */
  by: string[];
}

/** What accepted connections are handed to. */
export interface ListenersParts {
  config: Config;
  connections: Connections;
  calls: OpenCalls;
  log: Logger;
}

/** The places where the service listens, and the certificates, authorities and tokens that these work with. */
export class Listeners {
  readonly #parts: ListenersParts;
  readonly #servers: NetServer[] = [];
  readonly #reloading: Reloading<unknown>[] = [];
  #activated: Activated[] = [];

  constructor(parts: ListenersParts) {
    this.#parts = parts;
  }

  /** @throws ListenError when an address cannot be had, or a file be used; what is open by then is for `close` */
  async open(): Promise<Listening> {
    const { config } = this.#parts;
    this.#activated = await takeActivated(process.env, process.pid);
    this.#servers.push(...this.#activated.map(({ server }) => server));
    const local = await this.#openUnix();
    const tcp: ListeningTcp[] = [];
    for (const listener of config.listeners) tcp.push(await this.#openTcp(listener));
    const [left] = this.#activated;
    if (left !== undefined) {
      throw new ListenError(`systemd passed ${left.name}, and the configuration has no such listener`);
    }
    return { ...local, tcp };
  }

  /** Reads every file again. */
  async reload(): Promise<void> {
    await Promise.all(this.#reloading.map((each) => each.reload()));
  }

  /** Takes no more connections; also removes the unix socket's file. */
  stop(): void {
    for (const server of this.#servers.splice(0)) server.close();
    for (const each of this.#reloading.splice(0)) each.close();
  }

  async #openUnix(): Promise<Omit<Listening, "tcp">> {
    const { config, connections } = this.#parts;
    const passed = this.#take(({ kind }) => kind === "unix");
    if (passed !== undefined) {
      passed.server.on("connection", connections.acceptLocal);
      this.#tellErrors(passed.server, `unix:${config.socket}`);
      return { socket: config.socket, group: undefined };
    }
    const group = await socketGroup(config.socketGroup);
    const server = await listenUnix(config.socket, group, connections.acceptLocal);
    this.#tellErrors(server, `unix:${config.socket}`);
    this.#servers.push(server);
    return { socket: config.socket, group };
  }

  async #openTcp({ address, tls }: Listener): Promise<ListeningTcp> {
    const passed = this.#take(({ kind, name }) => kind === "tcp" && name === formatAddress(address));
    const server = passed?.server ?? createServer();
    this.#servers.push(server);
    server.maxConnections = this.#parts.config.maxConnections;
    this.#tellDrops(server, formatAddress(address));
    const accept =
      tls === undefined
        ? this.#parts.connections.acceptInsecure
        : await this.#acceptTls(server, tls, formatAddress(address));
    server.on("connection", accept);
    const got = passed === undefined ? await listenTcp(server, address) : address;
    this.#tellErrors(server, formatAddress(got));
    return { address: formatAddress(got), by: tls === undefined ? [] : lettingIn(tls) };
  }

  async #acceptTls(server: NetServer, tls: TlsListener, where: string): Promise<(socket: Socket) => void> {
    const { config, connections, calls, log } = this.#parts;
    const sources = await openSources(tls, where, log).catch((cause: unknown) => {
      throw new ListenError(`cannot listen on ${where}: ${reasonOf(cause)}`, {
        cause,
      });
    });
    this.#reloading.push(...sources.all);
    for (const each of sources.all) {
      each.subscribe(() => void calls.recheck(({ credential }) => credential.recheck()));
    }
    const authenticator = new TlsAuthenticator(sources);
    const most = Math.ceil(config.maxConnections / strangersShare);
    const strangers = new Strangers(server, { timeoutMs: config.authenticationTimeout, most });
    return tlsAcceptor(sources.material, (socket) => {
      const from = addressOf(socket);
      connections.acceptTls(socket, authenticator.for(socket), () => {
        strangers.known(from);
      });
    });
  }

  #take(wanted: (socket: Activated) => boolean): Activated | undefined {
    const found = this.#activated.find(wanted);
    this.#activated = this.#activated.filter((each) => each !== found);
    return found;
  }

  #tellDrops(server: NetServer, where: string): void {
    const { log, config } = this.#parts;
    let dropped = 0;
    const tell = atIntervals(() => {
      log.warn(
        { dropped },
        `${where}: ${config.maxConnections} connections are open (--max-connections), more are refused`,
      );
    });
    server.on("drop", () => {
      dropped += 1;
      tell();
    });
  }

  /** A connection that could not be taken, as out of file descriptors, is no reason to end: without a listener it would be. */
  #tellErrors(server: NetServer, where: string): void {
    const tell = atIntervals((err: unknown) => {
      this.#parts.log.error({ err }, `${where}: a connection could not be taken`);
    });
    server.on("error", tell);
  }
}

/** Calls `tell` at most once in a while. */
function atIntervals<Args extends unknown[]>(tell: (...args: Args) => void): (...args: Args) => void {
  let toldAt = -Infinity;
  return (...args) => {
    if (performance.now() - toldAt < logIntervalMs) return;
    toldAt = performance.now();
    tell(...args);
  };
}

function lettingIn({ clientCa, tokenFile, jwt }: TlsListener): string[] {
  const all = { "client certificates": clientCa, tokens: tokenFile, JWTs: jwt };
  return Object.entries(all).flatMap(([name, given]) => (given === undefined ? [] : [name]));
}
