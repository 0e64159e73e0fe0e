import { Server } from "@grpc/grpc-js";
import { setMaxListeners } from "node:events";
import type { Collector, PeerOf } from "../addon/types.js";
import { noAudit, type Audit } from "../audit/audit.js";
import { authenticating } from "../auth/interceptor.js";
import { OpenCalls } from "../auth/open-calls.js";
import type { Config } from "../config/schema.js";
import { openLasting, type Lasting } from "../declared/lasting.js";
import { startExporters, type Exporter } from "../export/start.js";
import { Guard } from "../guard/guard.js";
import { Health, ServingStatus } from "../health/health.js";
import type { Caller } from "../rpc/caller.js";
import { Policies } from "../auth/policy/policies.js";
import type { Logger } from "../log/logger.js";
import { configuredLimits } from "../quota/limits.js";
import { Quotas } from "../quota/quotas.js";
import { StreamCount } from "../rpc/context.js";
import { checkDescriptors } from "../session/descriptors.js";
import { Sessions } from "../session/sessions.js";
import { Connections } from "./connections.js";
import { HealthServer } from "./health-server.js";
import { Listeners, type Listening } from "./listeners.js";
import { serverOptions } from "./options.js";
import { addServices, serviceNames } from "./services.js";
import { answerUnknownMethods } from "./unknown-method.js";

/** What a running server does. */
export interface Ready extends Listening {
  /** Where the health service is to be had alone. */
  health: string | undefined;
  /** What each exporter does. */
  exporters: string[];
}

/** The gRPC server: what it serves, where it listens, how it stops. */
export class GrpcServer {
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #listeners: Listeners;
  #healthServer: HealthServer | undefined;
  /** The calls that are under way. */
  readonly calls = new OpenCalls();
  readonly #health = new Health(serviceNames);
  readonly #draining = new AbortController();
  readonly #config: Config;
  readonly #collector: Collector;
  readonly #log: Logger;
  readonly #policies: Policies;
  readonly #quotas: Quotas;
  readonly #audit: Audit;
  readonly #guard: Guard;
  readonly #sessions: Sessions;
  readonly #exporters: Exporter[] = [];
  #lasting: Lasting = { files: undefined, state: undefined };

  /**
   * @param peerOf who is at the other end of a unix socket
   * @param policies who may do what
   */
  constructor(
    config: Config,
    collector: Collector,
    log: Logger,
    peerOf: PeerOf,
    { policies = new Policies(), audit = noAudit }: { policies?: Policies; audit?: Audit } = {},
  ) {
    const admit = (caller: Caller): void => {
      policies.admit(caller);
    };
    const door = authenticating({
      connectionOf: (call) => this.#connections.of(call),
      admit,
      calls: this.calls,
      log,
      audit,
    });
    // Streams that look at what they read end by themselves; the others when their caller may no longer call at all.
    policies.subscribe(() => void this.calls.recheck(admit));
    this.#server = new Server({ ...serverOptions(config), interceptors: [door] });
    answerUnknownMethods(this.#server);
    this.#connections = new Connections(this.#server, peerOf);
    this.#listeners = new Listeners({ config, connections: this.#connections, calls: this.calls, log });
    this.#config = config;
    this.#collector = collector;
    this.#policies = policies;
    this.#log = log;
    // Every open stream listens; how many these are is bounded elsewhere.
    setMaxListeners(0, this.#draining.signal);
    this.#quotas = new Quotas(configuredLimits(config), policies);
    this.#audit = audit;
    this.#guard = new Guard({
      collector,
      log,
      ceilings: { cpuShare: config.overheadCpu, memory: config.overheadMemory },
      windowMs: config.overheadWindow,
    });
    this.#sessions = new Sessions({
      collector,
      log,
      limit: config.maxSessions,
      history: {
        each: BigInt(config.historyBytes),
        most: BigInt(config.maxHistoryBytes),
        total: BigInt(config.maxTotalHistoryBytes),
      },
      admit: () => {
        checkDescriptors();
        this.#guard.admit();
      },
    });
  }

  /** @throws ListenError when an address cannot be had, ConfigError when the folder of sessions cannot; then nothing is left listening */
  async start(): Promise<Ready> {
    try {
      return await this.#start();
    } catch (error) {
      await this.#closeLasting();
      this.#close();
      throw error;
    }
  }

  async #start(): Promise<Ready> {
    const { node, nodeLabel, maxStreams } = this.#config;
    const shared = {
      collector: this.#collector,
      sessions: this.#sessions,
      policies: this.#policies,
      quotas: this.#quotas,
      node: `nodes/${node}`,
      nodeLabels: Object.fromEntries(nodeLabel),
      log: this.#log,
    };
    // Whoever connects finds what was there before.
    this.#lasting = await openLasting(this.#config, shared);
    const parts = {
      ...shared,
      streams: new StreamCount(maxStreams),
      lasting: this.#lasting,
      audit: this.#audit,
      guard: this.#guard,
      exporters: this.#exporters,
      health: this.#health,
      draining: this.#draining.signal,
    };
    await addServices(this.#server, parts);
    this.#guard.watch(this.#sessions);
    const listening = await this.#listeners.open();
    const { healthListen } = this.#config;
    if (healthListen !== undefined) this.#healthServer = new HealthServer(this.#config, this.#health);
    const health = healthListen && (await this.#healthServer?.listen(healthListen));
    this.#exporters.push(...(await startExporters(this.#config, parts)));
    return { ...listening, health, exporters: this.#exporters.map(({ announcement }) => announcement) };
  }

  /** Reads certificates, authorities, tokens, keys and sessions as files again. */
  async reload(): Promise<void> {
    await Promise.all([this.#listeners.reload(), this.#lasting.files?.reload()]);
  }

  /** Takes no new work, lets streams say why they end, and closes: at the latest when the drain timeout is over. Idempotent. */
  async stop(): Promise<void> {
    if (this.#draining.signal.aborted) return;
    this.#health.set(ServingStatus.NOT_SERVING);
    this.#draining.abort();
    await this.#closeLasting();
    await this.#drained(this.#config.drainTimeout);
    await Promise.all(this.#exporters.splice(0).map(async (exporter) => exporter.close()));
    this.#close();
  }

  #drained(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#log.warn(`some clients did not let go within ${timeoutMs} ms; closing their connections`);
        resolve();
      }, timeoutMs);
      this.#listeners.stop();
      // From Node 24 on grpc-js takes a connection that has been told to close for one that is closed: hence the wait for ours.
      this.#server.tryShutdown(() => {
        void this.#connections.closed().then(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    });
  }

  async #closeLasting(): Promise<void> {
    await Promise.all([this.#lasting.files?.close(), this.#lasting.state?.close()]);
  }

  #close(): void {
    this.#listeners.stop();
    this.#server.forceShutdown();
    this.#connections.destroyAll();
    this.#healthServer?.close();
    this.#guard.close();
    this.#sessions.close();
  }
}
