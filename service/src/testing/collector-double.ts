import {
  EndReason,
  GetSnapshotRequest,
  GetSnapshotResponse,
  type HistogramBatch,
  HostStatus,
  NodeCapabilities,
  Session,
  SessionSpec,
  SessionState,
  SessionStats,
  StreamHistogramsRequest,
  StreamHistogramsResponse,
  StreamSamplesRequest,
  StreamSamplesResponse,
  Totals,
} from "@latscope/proto";
import type { Collector, MapMemory, ReaderHandle, ReaderHeader, ReaderScope, SessionHandle } from "../addon/types.js";

/** An error as the addon throws it. */
export function addonError(status: string, reason: string, field: string, description: string): Error {
  const message = {
    status,
    reason,
    message: `${field}: ${description}`,
    violations: [{ field, description }],
    precondition: [],
    quota: [],
    metadata: {},
    retryAfterMs: null,
    log: null,
  };
  return Object.assign(new Error(JSON.stringify(message)), { code: reason });
}

/**
 * Stands in for the addon in tests of what TypeScript alone decides: names, limits, timers, who is told what. It measures nothing.
 * As the collector does it, a spec without probes is refused, and `retain` always has a value.
 */
export class CollectorDouble implements Collector {
  readonly sessions = new Map<string, SessionDouble>();
  /** What it says of the host. */
  host: Parameters<typeof HostStatus.fromPartial>[0] = {};
  closed = false;

  capabilities(): Promise<Buffer> {
    const capabilities = NodeCapabilities.fromPartial({ node: "nodes/test", kernelRelease: "6.18.0" });
    return Promise.resolve(Buffer.from(NodeCapabilities.encode(capabilities).finish()));
  }

  status(): Promise<Buffer> {
    const status = HostStatus.fromPartial({ node: "nodes/test", residentBytes: 4096n, ...this.host });
    return Promise.resolve(Buffer.from(HostStatus.encode(status).finish()));
  }

  async verify(spec: Buffer): Promise<Buffer> {
    await Promise.resolve();
    const effectiveSpec = SessionSpec.decode(checkedSpec(spec));
    const stats = { programs: [{ name: "double", verifiedInstructions: 7 }] };
    return Buffer.from(Session.encode(Session.fromPartial({ effectiveSpec, stats })).finish());
  }

  checkReader(request: Buffer): void {
    checkFilters(request);
  }

  checkHistogramReader(request: Buffer): void {
    checkInterval(request);
  }

  async start(id: string, spec: Buffer, scope: ReaderScope): Promise<SessionDouble> {
    await Promise.resolve();
    const session = new SessionDouble(checkedSpec(spec), scope);
    this.sessions.set(id, session);
    return session;
  }

  redactSpec(spec: Buffer): Buffer {
    return spec;
  }

  close(): void {
    this.closed = true;
  }
}

function checkedSpec(spec: Buffer): Buffer {
  const decoded = SessionSpec.decode(spec);
  if (decoded.probes.length === 0) throw addonError("INVALID_ARGUMENT", "FIELD_REQUIRED", "spec.probes", "is empty");
  const limits = { ...decoded.limits, retain: decoded.limits?.retain ?? { seconds: 600n } };
  return Buffer.from(SessionSpec.encode(SessionSpec.fromPartial({ ...decoded, limits })).finish());
}

export class SessionDouble implements SessionHandle {
  readonly readers: ReaderDouble[] = [];
  /** Requests of snapshots. */
  readonly snapshots: GetSnapshotRequest[] = [];
  /** What it was told of thinning. */
  readonly thinned: [number | null, string][] = [];
  memory: MapMemory[] = [{ id: 1, bytes: 4096 }];
  stopped: EndReason | undefined;
  why: string | undefined;
  closed = false;
  #spec: Buffer;
  #changesEnd: (end: null) => void = () => undefined;

  /** @param scope what it was narrowed to */
  constructor(
    spec: Buffer,
    readonly scope: ReaderScope,
  ) {
    this.#spec = spec;
  }

  effectiveSpec(): Buffer {
    return this.#spec;
  }

  probes(): Buffer {
    const probeStatuses = [{ probe: 0, attached: true, capability: undefined, node: "nodes/test" }];
    return Buffer.from(Session.encode(Session.fromPartial({ state: SessionState.RUNNING, probeStatuses })).finish());
  }

  refusals(): string[] {
    return [];
  }

  stats(full: boolean): Promise<Buffer> {
    const programs = [{ name: "double", ...(full ? { bytecode: Buffer.alloc(8) } : {}) }];
    const stats = SessionStats.fromPartial({ kernelMemoryBytes: 4096n, totals: { delivered: 7n }, programs });
    return Promise.resolve(Buffer.from(SessionStats.encode(stats).finish()));
  }

  update(spec: Buffer): Promise<Buffer> {
    this.#spec = spec;
    return Promise.resolve(spec);
  }

  changes(): Promise<Buffer | null> {
    return new Promise((resolve) => (this.#changesEnd = resolve));
  }

  thin(samplesPerSecond: number | null, reason: string): Promise<Buffer> {
    this.thinned.push([samplesPerSecond, reason]);
    return Promise.resolve(this.#spec);
  }

  maps(): Promise<MapMemory[]> {
    return Promise.resolve(this.memory);
  }

  stop(reason: EndReason, why?: string): Promise<void> {
    this.stopped ??= reason;
    this.why ??= why;
    for (const reader of this.readers) reader.end(reason);
    return Promise.resolve();
  }

  reader(request: Buffer, header: ReaderHeader): ReaderDouble {
    checkFilters(request);
    return this.#read(new ReaderDouble(header));
  }

  histogramReader(request: Buffer, header: ReaderHeader): ReaderDouble {
    checkInterval(request);
    return this.#read(new ReaderDouble(header));
  }

  snapshot(request: Buffer, { node }: ReaderHeader): Promise<Buffer> {
    this.snapshots.push(GetSnapshotRequest.decode(request));
    const keys = { node };
    const snapshot = GetSnapshotResponse.fromPartial({ totalGroups: 1, groups: [{ count: 7n, group: { keys } }] });
    return Promise.resolve(Buffer.from(GetSnapshotResponse.encode(snapshot).finish()));
  }

  isWithin(targets: Buffer[]): boolean {
    return targets.length > 0;
  }

  #read(reader: ReaderDouble): ReaderDouble {
    this.readers.push(reader);
    return reader;
  }

  close(): void {
    this.closed = true;
    for (const reader of this.readers) reader.end(EndReason.SESSION_DELETED);
    this.#changesEnd(null);
  }
}

/** Start, then whatever a test pushes, then End. Of samples or of histograms: those messages have the same numbers in both. */
export class ReaderDouble implements ReaderHandle {
  readonly #queue: (Buffer | null)[] = [];
  #waiter: ((message: Buffer | null | Promise<never>) => void) | undefined;
  #ended = false;
  closed = false;
  delivered = 0;

  constructor(readonly header: ReaderHeader) {
    this.push({ event: { $case: "start", value: {} } });
  }

  /** Queues one message with the header that every message has. */
  push(message: Parameters<typeof StreamSamplesResponse.fromPartial>[0]): void {
    this.#put(
      Buffer.from(
        StreamSamplesResponse.encode(StreamSamplesResponse.fromPartial({ ...this.header, ...message })).finish(),
      ),
    );
  }

  next(): Promise<Buffer | null> {
    const message = this.#queue.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.closed) return Promise.resolve(null);
    return new Promise((resolve) => (this.#waiter = resolve));
  }

  end(reason: EndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.push({ event: { $case: "end", value: { reason } } });
    this.#put(null);
  }

  /** Queues the histograms of an interval. */
  pushBatch(batch: Parameters<typeof HistogramBatch.fromPartial>[0]): void {
    const event = { $case: "batch" as const, value: batch };
    const message = StreamHistogramsResponse.fromPartial({ ...this.header, event });
    this.#put(Buffer.from(StreamHistogramsResponse.encode(message).finish()));
  }

  /** Lets the pending `next` fail. */
  fail(error: Error): void {
    this.#waiter?.(Promise.reject(error));
  }

  totals(): Buffer {
    return Buffer.from(Totals.encode(Totals.fromPartial({})).finish());
  }

  close(): void {
    this.closed = true;
    this.#put(null);
  }

  #put(message: Buffer | null): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) this.#queue.push(message);
    else waiter(message);
  }
}

function checkFilters(request: Buffer): void {
  const { filters } = StreamSamplesRequest.decode(request);
  if (filters.length > 0)
    throw addonError("INVALID_ARGUMENT", "FIELD_INVALID", "filters[0]", "is not known to the double");
}

function checkInterval(request: Buffer): void {
  const { interval } = StreamHistogramsRequest.decode(request);
  if (interval !== undefined)
    throw addonError("INVALID_ARGUMENT", "DURATION_INVALID", "interval", "is not known to the double");
}
