import {
  Limits,
  Session,
  SessionSpec,
  SessionState,
  SessionStats,
  SessionView,
  StopReason,
  type ProbeStatus,
} from "@latscope/proto";
import type { Grant } from "../auth/policy/grant.js";
import type { Principal } from "../auth/principal.js";
import type { SessionHandle } from "../addon/types.js";
import { toFailure } from "../failure/answer.js";
import type { SessionQuota } from "../quota/session-quota.js";
import { etagOf, type ClientFields } from "./etag.js";
import { Mutex } from "./mutex.js";
import { sessionName } from "./name.js";
import { milliseconds, timestamp } from "./time.js";
import { Timers } from "./timers.js";

/** How long a session that belongs to a stream outlives it. */
export interface StreamLifetime {
  lingerMs: number;
}

/** What a new session is made of. */
export interface NewSession extends ClientFields {
  /** Undefined: the server chooses. */
  id?: string;
  /** Whose it is, as in Session.owner. */
  owner: string;
  /** What its owner gets of it. */
  grant: Grant;
  /** Set for a session that lives as long as a stream. */
  stream?: StreamLifetime;
  /** What its owner may have; unset = as much as the service gives. */
  quota?: SessionQuota;
  /** Who its owner is: set for a session that is to come back when the service starts again. */
  principal?: Principal;
  /** Of a session that has come back: when it was made and since when it runs, in milliseconds since 1970. */
  earlier?: { createdAt: number; runsSince: number };
  /** It waits for a reader as long as it takes, unless its spec says how long. */
  unattended?: boolean;
}

type TimerName = "duration" | "idle" | "retain" | "linger";

/** One session: what the client set, what became of it, and the handle to its eBPF side. */
export class SessionRecord implements ClientFields {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly stream: StreamLifetime | undefined;
  readonly principal: Principal | undefined;
  readonly unattended: boolean;
  readonly createdAt: number;
  readonly timers = new Timers<TimerName>();
  /** Start, update, stop and delete of one session never overlap. */
  readonly lock = new Mutex();

  displayName: string;
  labels: Readonly<Record<string, string>>;
  spec: SessionSpec;
  effectiveSpec: SessionSpec | undefined;
  state = SessionState.STARTING;
  stateReason = "";
  stopReason = StopReason.UNSPECIFIED;
  probeStatuses: ProbeStatus[] = [];
  startedAt: number | undefined;
  /** What its duration counts from: a session that has come back runs no longer for it. */
  runsSince: number | undefined;
  endedAt: number | undefined;
  handle: SessionHandle | undefined;
  /** Open streams that read this session. */
  readers = 0;

  constructor(id: string, session: NewSession) {
    this.id = id;
    this.name = sessionName(id);
    this.owner = session.owner;
    this.stream = session.stream;
    this.principal = session.principal;
    this.unattended = session.unattended ?? false;
    this.createdAt = session.earlier?.createdAt ?? Date.now();
    this.runsSince = session.earlier?.runsSince;
    this.displayName = session.displayName;
    this.labels = session.labels;
    this.spec = session.spec;
  }

  /** What it measures, for decisions on who may see it. */
  get measures(): SessionSpec {
    return this.effectiveSpec ?? this.spec;
  }

  get running(): boolean {
    return [SessionState.STARTING, SessionState.RUNNING, SessionState.DEGRADED].includes(this.state);
  }

  /** One of the effective limits in milliseconds; undefined = no such limit. */
  limitMs(name: "duration" | "idleTimeout" | "retain"): number | undefined {
    const limits: Limits | undefined = this.effectiveSpec?.limits;
    const limit = limits?.[name];
    return limit === undefined ? undefined : milliseconds(limit);
  }

  /** Takes over what the collector says of a session that it has attached. */
  attached(handle: SessionHandle): void {
    this.handle = handle;
    this.takeEffective(handle.effectiveSpec());
    const { state, stateReason, probeStatuses } = Session.decode(handle.probes());
    Object.assign(this, { state, stateReason, probeStatuses, startedAt: Date.now() });
    this.runsSince ??= this.startedAt;
  }

  /** Takes over what the collector made of a spec. @param asked the spec */
  takeEffective(bytes: Buffer, asked = this.spec): void {
    const spec = SessionSpec.decode(bytes);
    if (this.unattended && asked.limits?.idleTimeout === undefined) {
      spec.limits = Limits.fromPartial({ ...spec.limits, idleTimeout: undefined });
    }
    this.effectiveSpec = spec;
  }

  /** As a message, without statistics. */
  toMessage(): Session {
    return Session.fromPartial({
      name: this.name,
      displayName: this.displayName,
      labels: { ...this.labels },
      spec: this.spec,
      etag: etagOf(this),
      owner: this.owner,
      state: this.state,
      stateReason: this.stateReason,
      createTime: timestamp(this.createdAt),
      startTime: this.startedAt === undefined ? undefined : timestamp(this.startedAt),
      endTime: this.endedAt === undefined ? undefined : timestamp(this.endedAt),
      effectiveSpec: this.effectiveSpec,
      stopReason: this.stopReason,
      probeStatuses: this.probeStatuses,
    });
  }

  /** Statistics of this moment; undefined while it starts, and once it is closed. */
  async stats(view = SessionView.BASIC): Promise<SessionStats | undefined> {
    if (this.handle === undefined) return undefined;
    try {
      return SessionStats.decode(await this.handle.stats(view === SessionView.FULL));
    } catch (error) {
      // It may be deleted while a list of sessions is on its way.
      if (toFailure(error)?.reason === "CLOSED") return undefined;
      throw error;
    }
  }

  /** As a message with its statistics of this moment. */
  async withStats(view = SessionView.BASIC): Promise<Session> {
    const stats = await this.stats(view);
    return { ...this.toMessage(), stats };
  }
}
