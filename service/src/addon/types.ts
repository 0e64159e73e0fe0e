/**
 * What the service asks of the addon. Structures and 64-bit values cross as protobuf bytes (latscope.v1), so that the .proto
 * files stay the only contract. Every method that can fail throws (or rejects with) an error that `failure/from-addon.ts` reads.
 */

/** Fixed for the life of a collector. */
export interface CollectorOptions {
  /** The resource name of this host, `nodes/{hostname}`. */
  node: string;
  /** A SessionSpec whose limits and collection are what a session gets that asks for nothing. */
  defaults: Buffer;
  /** A SessionSpec whose limits and collection are the most that a session gets. */
  maxima: Buffer;
  /** Whether the kernel counts what programs cost while a session is attached. */
  countRuns: boolean;
  /** IPv4 flows that the packet engine has room for, and everything else in proportion: 1024 to 1048576. */
  packetFlows: number;
}

/** The eBPF side of the service; one for each process. */
export interface Collector {
  /** NodeCapabilities. */
  capabilities(): Promise<Buffer>;
  /** HostStatus, without the counts that the service keeps (sessions, streams). */
  status(): Promise<Buffer>;
  /**
   * Checks a SessionSpec, loads and verifies the programs that it takes, and attaches nothing.
   *
   * @param scope narrows it
   * @returns a Session with effective_spec and stats.programs only
   */
  verify(spec: Buffer, scope: ReaderScope): Promise<Buffer>;
  /** Checks the reader's side of a StreamSamplesRequest whose session is yet to be made. */
  checkReader(request: Buffer, scope: ReaderScope): void;
  /** Checks the reader's side of a StreamHistogramsRequest whose session is yet to be made. */
  checkHistogramReader(request: Buffer, scope: ReaderScope): void;
  /** Attaches. @param id the part after `sessions/` @param spec SessionSpec @param scope narrows it */
  start(id: string, spec: Buffer, scope: ReaderScope): Promise<SessionHandle>;
  /** @param spec SessionSpec @returns it without what would tell more of its samples than somebody sees of them */
  redactSpec(spec: Buffer, scope: ReaderScope): Buffer;
  /** Detaches everything. Idempotent. */
  close(): void;
}

/** One attached session. */
export interface SessionHandle {
  /** SessionSpec with defaults filled in and limits clamped. */
  effectiveSpec(): Buffer;
  /** A Session with only probe_statuses, state and state_reason set. */
  probes(): Buffer;
  /** Why engines could not attach their part of it, each as the JSON of a failure. */
  refusals(): string[];
  /** SessionStats; `full` with the programs' bytecode and what the verifier said of them. */
  stats(full: boolean): Promise<Buffer>;
  /** New filters, exclude, collection and limits, narrowed by `scope`. @returns the effective SessionSpec. */
  update(spec: Buffer, scope: ReaderScope): Promise<Buffer>;
  /** The next SessionChange that the collector itself decided on; null once closed. */
  changes(): Promise<Buffer | null>;
  /**
   * At most so many individual samples a second and CPU from now on, whatever was or will be asked for; null takes that back.
   * Readers hear of it as a change, with this reason. @returns the effective SessionSpec.
   */
  thin(samplesPerSecond: number | null, reason: string): Promise<Buffer>;
  /** The maps that serve it; other sessions may use them too. */
  maps(): Promise<MapMemory[]>;
  /** Detaches; the log stays readable. @param reason the EndReason for its readers @param why what the change that they hear of says. Idempotent. */
  stop(reason: number, why?: string): Promise<void>;
  /** @param request StreamSamplesRequest */
  reader(request: Buffer, header: ReaderHeader): ReaderHandle;
  /** @param request StreamHistogramsRequest */
  histogramReader(request: Buffer, header: ReaderHeader): HistogramReaderHandle;
  /** @param request GetSnapshotRequest @returns GetSnapshotResponse */
  snapshot(request: Buffer, header: ReaderHeader): Promise<Buffer>;
  /** Whether nothing that it ever measured is outside of these targets. @param targets each a Filter */
  isWithin(targets: Buffer[]): boolean;
  /** Frees the log; readers get End. Idempotent. */
  close(): void;
}

/** A map of the kernel. */
export interface MapMemory {
  id: number;
  /** Of kernel memory. */
  bytes: number;
}

/** Who makes or reads a session, and what they may see of it. */
export interface ReaderScope {
  /** As in Session.owner: cursors are good for whom they were given to. */
  principal: string;
  /** Each a Filter, OR between them; unset = everything, empty = nothing. */
  targets?: Buffer[];
  /** A Redaction; unset = nothing is held back. */
  redaction?: Buffer;
}

/** The names that every message of a reader carries, and for whom it reads. */
export interface ReaderHeader {
  /** `nodes/{name}` */
  node: string;
  session: string;
  scope: ReaderScope;
}

/** One reader of a session's histograms: the same, but for what its messages are (StreamHistogramsResponse). */
export type HistogramReaderHandle = ReaderHandle;

/** One reader of a session's log. */
export interface ReaderHandle {
  /** Individual samples that it has sent so far; readers of histograms send none, and do not say so. */
  readonly delivered?: number;
  /** One encoded StreamSamplesResponse, or null after End. At most one call under way. */
  next(): Promise<Buffer | null>;
  /** Makes the next message an End with this EndReason. */
  end(reason: number): void;
  /** Totals of this reader. */
  totals(): Buffer;
  /** A pending `next` resolves to null at once. Idempotent. */
  close(): void;
}

/** The process at the other end of a unix socket. */
export interface Peer {
  uid: number;
  /** Its groups, its own first. */
  gids: number[];
}

/** Null for a descriptor that is no such socket. */
export type PeerOf = (descriptor: number) => Peer | null;
