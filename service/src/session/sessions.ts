import {
  EndReason,
  SessionChange,
  SessionSpec,
  SessionState,
  StopReason,
  stopReasonFromJSON,
  stopReasonToJSON,
} from "@latscope/proto";
import { encodeScope } from "../addon/scope.js";
import type { Collector, SessionHandle } from "../addon/types.js";
import { Failure } from "../failure/failure.js";
import { fromAddon } from "../failure/from-addon.js";
import type { Logger } from "../log/logger.js";
import { drainingFailure } from "../rpc/context.js";
import { SessionFeed } from "./feed.js";
import { checkHistory, type HistoryBounds } from "./history.js";
import { chooseSessionId, sessionId, sessionName } from "./name.js";
import { notFound } from "./not-found.js";
import { SessionRecord, type NewSession } from "./record.js";

/** What sessions need from the service. */
export interface SessionsOptions {
  collector: Collector;
  log: Logger;
  /** How many may exist at once. */
  limit: number;
  history: HistoryBounds;
  /** Whether another may start now, whoever asks. @throws Failure OVERHEAD_LIMIT, CAPACITY_EXHAUSTED */
  admit: () => void;
}

/** Every session of this host, running or still readable, and what ends them. */
export class Sessions {
  readonly feed = new SessionFeed();
  readonly #records = new Map<string, SessionRecord>();
  readonly #collector: Collector;
  readonly #log: Logger;
  readonly #limit: number;
  readonly #history: HistoryBounds;
  readonly #admit: () => void;
  #samplesOfGone = 0n;
  #closed = false;

  constructor({ collector, log, limit, history, admit }: SessionsOptions) {
    this.#collector = collector;
    this.#log = log;
    this.#limit = limit;
    this.#history = history;
    this.#admit = admit;
  }

  get count(): number {
    return this.#records.size;
  }

  /** How many samples were read out of the kernel so far, those of sessions that are gone included. */
  async samples(): Promise<bigint> {
    const counts = await Promise.all(this.all().map((record) => delivered(record)));
    return counts.reduce((sum, count) => sum + count, this.#samplesOfGone);
  }

  /** All of them, sorted by name. */
  all(): SessionRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @param field where the request holds the name @throws Failure SESSION_NOT_FOUND, FIELD_REQUIRED, FIELD_INVALID */
  get(name: string, field: string): SessionRecord {
    const record = this.#records.get(sessionId(name, field));
    if (record === undefined) throw notFound(name);
    return record;
  }

  /** @param own the session that the spec is a new one of @throws Failure HISTORY_LIMIT */
  checkHistory(spec: SessionSpec, own?: SessionRecord): void {
    const others = [...this.#records.values()].filter((record) => record !== own);
    checkHistory(
      spec,
      others.map((record) => record.spec),
      this.#history,
    );
  }

  /** Attaches a session. When that fails nothing of it stays. */
  async create(session: NewSession): Promise<SessionRecord> {
    const id = session.id ?? chooseSessionId((id) => this.#records.has(id));
    if (this.#records.has(id)) {
      const name = sessionName(id);
      throw Failure.of("SESSION_EXISTS", `${name} exists`, { resource: { type: "latscope.v1.Session", name } });
    }
    if (this.#records.size >= this.#limit) {
      const description = `at most ${this.#limit} sessions exist at once; delete one that is stopped`;
      throw Failure.of("SESSION_LIMIT", description, { quota: [{ subject: "sessions", description }] });
    }
    session.quota?.checkCount(this.#of(session.owner).length);
    this.checkHistory(session.spec);
    this.#admit();
    const record = new SessionRecord(id, session);
    this.#records.set(id, record);
    this.feed.changed(record);
    try {
      await record.lock.run(async () => this.#start(record, session));
    } catch (error) {
      record.state = SessionState.FAILED;
      record.handle?.close();
      this.#forget(record);
      throw error;
    }
    return record;
  }

  /** Keeps a session that could not come back, for its owner to see why. @param retainMs how long */
  fail(session: NewSession & { id: string }, reason: string, retainMs: number): void {
    if (this.#records.has(session.id)) return;
    const record = new SessionRecord(session.id, session);
    Object.assign(record, { state: SessionState.FAILED, stateReason: reason, endedAt: Date.now() });
    this.#records.set(record.id, record);
    record.timers.set("retain", retainMs, () => {
      this.#inBackground(this.remove(record, StopReason.UNSPECIFIED), record);
    });
    this.feed.changed(record);
  }

  /** Grants a session fewer individual samples a second and CPU than it asked for, or again as many; its readers are told why. */
  async thin(record: SessionRecord, samplesPerSecond: number | undefined, why: string): Promise<void> {
    await record.lock.run(async () => {
      if (!record.running || record.handle === undefined) return;
      record.takeEffective(await record.handle.thin(samplesPerSecond ?? null, why));
    });
  }

  /** Detaches; what was collected stays readable until `retain` runs out. Idempotent. */
  async stop(record: SessionRecord, why: StopReason): Promise<void> {
    await record.lock.run(async () => this.#end(record, SessionState.STOPPED, why));
  }

  /** Stops a session if it runs, and forgets it. Idempotent. */
  async remove(record: SessionRecord, why: StopReason): Promise<void> {
    await record.lock.run(async () => {
      try {
        await this.#end(record, SessionState.STOPPED, why);
        if (this.#records.get(record.id) === record) this.#samplesOfGone += await delivered(record);
      } finally {
        record.timers.clearAll();
        record.handle?.close();
        this.#forget(record);
      }
    });
  }

  /** Counts a reader in: a session that is read is not idle. */
  enter(record: SessionRecord): void {
    record.readers += 1;
    record.timers.clear("idle");
    record.timers.clear("linger");
  }

  /** Counts a reader out. */
  leave(record: SessionRecord): void {
    record.readers -= 1;
    this.armIdle(record);
    this.#armLinger(record);
  }

  /** Starts the wait for a reader, if the session runs without one. */
  armIdle(record: SessionRecord): void {
    const idleMs = record.limitMs("idleTimeout");
    if (record.readers > 0 || !record.running || idleMs === undefined) return;
    record.timers.set("idle", idleMs, () => {
      this.#inBackground(this.stop(record, StopReason.IDLE), record);
    });
  }

  /** Starts the wait for the end of a limited session. */
  armDuration(record: SessionRecord): void {
    const durationMs = record.limitMs("duration");
    if (durationMs === undefined || record.runsSince === undefined) {
      record.timers.clear("duration");
      return;
    }
    const left = Math.max(0, record.runsSince + durationMs - Date.now());
    record.timers.set("duration", left, () => {
      this.#inBackground(this.stop(record, StopReason.DURATION), record);
    });
  }

  /** A stream's session that nobody reads any more is kept a while for a client that comes back. */
  #armLinger(record: SessionRecord): void {
    const { lingerMs = 0 } = record.stream ?? {};
    if (lingerMs === 0 || record.readers > 0 || this.#records.get(record.id) !== record) return;
    record.timers.set("linger", lingerMs, () => {
      this.#inBackground(this.remove(record, StopReason.STREAM_CLOSED), record);
    });
  }

  /** Detaches everything and frees it, also what is still starting once it has started. Nobody is told any more. */
  close(): void {
    this.#closed = true;
    for (const { timers, handle } of this.#records.values()) {
      timers.clearAll();
      handle?.close();
    }
  }

  async #start(record: SessionRecord, { grant, quota }: NewSession): Promise<void> {
    const bytes = Buffer.from(SessionSpec.encode(grant.spec).finish());
    const handle = await this.#collector.start(record.id, bytes, encodeScope(grant.scope));
    if (this.#closed) {
      handle.close();
      throw drainingFailure();
    }
    // What it takes is known only now; nobody has heard of it yet.
    record.handle = handle;
    if (quota?.limitsKernelMemory === true) quota.checkKernelMemory(await kernelMemory(this.#of(record.owner)));
    record.attached(handle);
    this.armDuration(record);
    this.armIdle(record);
    this.feed.changed(record);
    this.#log.info({ session: record.name, state: SessionState[record.state] }, `${record.name} started`);
    for (const refusal of handle.refusals()) this.#tell(record, refusal);
    this.#inBackground(this.#follow(record, handle), record);
  }

  /** What the host refused a session, with what no client gets: the whole of a verifier's log. */
  #tell({ name }: SessionRecord, refusal: string): void {
    const failure = fromAddon(new Error(refusal));
    this.#log.warn({ session: name, reason: failure?.reason, more: failure?.details.log }, failure?.message);
  }

  async #end(record: SessionRecord, state: SessionState, why: StopReason, reason = ""): Promise<void> {
    if (!record.running) return;
    const failed = state === SessionState.FAILED;
    try {
      if (failed) await record.handle?.stop(EndReason.SESSION_FAILED);
      else await record.handle?.stop(EndReason.SESSION_STOPPED, stopReasonToJSON(why));
      Object.assign(record, { state, stateReason: reason });
    } catch (error) {
      // Whoever asked hears of it; to everybody else it must not look as if it still ran.
      Object.assign(record, { state: SessionState.FAILED, stateReason: "it could not be stopped in good order" });
      throw error;
    } finally {
      this.#ended(record, why);
    }
  }

  #ended(record: SessionRecord, why: StopReason): void {
    Object.assign(record, { stopReason: why, endedAt: Date.now() });
    record.timers.clearAll();
    const retainMs = record.limitMs("retain") ?? 0;
    record.timers.set("retain", retainMs, () => {
      this.#inBackground(this.remove(record, why), record);
    });
    this.feed.changed(record);
    this.#log.info(
      { session: record.name, state: SessionState[record.state], why: StopReason[why] },
      `${record.name} ended`,
    );
  }

  /** Takes over what the collector itself decides: a limit of the session, a part that no longer works. */
  async #follow(record: SessionRecord, handle: SessionHandle): Promise<void> {
    for (;;) {
      const bytes = await handle.changes();
      if (bytes === null) return;
      const { state, reason } = SessionChange.decode(bytes);
      if (state === SessionState.STOPPED) {
        await this.stop(record, stopReasonFrom(reason));
      } else if (state === SessionState.FAILED) {
        await record.lock.run(async () => this.#end(record, state, StopReason.UNSPECIFIED, reason));
      } else if (record.running) {
        Object.assign(record, { state, stateReason: reason });
        this.feed.changed(record);
      }
    }
  }

  #of(owner: string): SessionRecord[] {
    return [...this.#records.values()].filter((record) => record.owner === owner);
  }

  #forget(record: SessionRecord): void {
    if (this.#records.get(record.id) !== record) return;
    this.#records.delete(record.id);
    this.feed.deleted(record);
  }

  #inBackground(work: Promise<void>, record: SessionRecord): void {
    work.catch((error: unknown) => {
      this.#log.error({ err: error, session: record.name }, `${record.name}: work in the background failed`);
    });
  }
}

/** A limit that the collector watches over gives the name of its StopReason. */
function stopReasonFrom(reason: string): StopReason {
  const known = stopReasonFromJSON(reason);
  return known === StopReason.UNRECOGNIZED ? StopReason.UNSPECIFIED : known;
}

async function delivered(record: SessionRecord): Promise<bigint> {
  return (await record.stats())?.totals?.delivered ?? 0n;
}

/** Bytes of the maps that running sessions use, each map once. */
async function kernelMemory(records: readonly SessionRecord[]): Promise<number> {
  const running = records.filter((record) => record.running);
  const maps = new Map<number, number>();
  for (const { handle } of running) {
    for (const { id, bytes } of (await handle?.maps()) ?? []) maps.set(id, bytes);
  }
  return [...maps.values()].reduce((sum, bytes) => sum + bytes, 0);
}
