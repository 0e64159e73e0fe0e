import { HostStatus, StopReason, type OverheadStatus } from "@latscope/proto";
import { cpus } from "node:os";
import type { Collector } from "../addon/types.js";
import { Failure } from "../failure/failure.js";
import type { Logger } from "../log/logger.js";
import type { SessionRecord } from "../session/record.js";
import type { Sessions } from "../session/sessions.js";
import { nextStep, thinnedTo, type Ceilings } from "./step.js";
import { CpuWindow } from "./window.js";

export interface GuardOptions {
  collector: Pick<Collector, "status">;
  log: Logger;
  ceilings: Ceilings;
  /** What counts as lately. */
  windowMs: number;
  /** A clock in milliseconds that never goes back. */
  now?: () => number;
  processors?: number;
}

// Each costs a reading of all that the process holds open.
const readingsInWindow = 2;
// Whoever was stopped would come back at once.
const refusedWindows = 3;

/**
 * Keeps what our programs cost the host under a ceiling. Above it every session gets fewer individual samples, step by step; when
 * that is not enough the youngest is stopped, and then the next. Each step is told to the clients that it concerns.
 */
export class Guard {
  readonly #options: GuardOptions;
  readonly #window: CpuWindow;
  readonly #now: () => number;
  readonly #thinned = new WeakMap<SessionRecord, number>();
  #sessions: Sessions | undefined;
  #timer: NodeJS.Timeout | undefined;
  #busy = false;
  #level = 0;
  #steppedAt = Number.NEGATIVE_INFINITY;
  #stoppedAt = Number.NEGATIVE_INFINITY;
  #share: number | undefined;
  #counts = { thinnings: 0n, restorations: 0n, stoppedSessions: 0n, refusedSessions: 0n };

  constructor(options: GuardOptions) {
    const { windowMs, now = () => performance.now(), processors = cpus().length } = options;
    this.#options = options;
    this.#now = now;
    this.#window = new CpuWindow(windowMs, processors);
  }

  /** Looks after these sessions from now on. */
  watch(sessions: Sessions): void {
    this.#sessions = sessions;
    this.#timer = setInterval(() => {
      void this.#look();
    }, this.#options.windowMs / readingsInWindow).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  get status(): OverheadStatus {
    const { ceilings } = this.#options;
    return {
      cpuShare: this.#share,
      maxCpuShare: ceilings.cpuShare,
      maxKernelMemoryBytes: BigInt(ceilings.memory),
      samplesPerSecond: thinnedTo[this.#level - 1],
      ...this.#counts,
    };
  }

  /** For a session that is yet to start. @throws Failure OVERHEAD_LIMIT for a while after one was stopped */
  admit(): void {
    const left = this.#stoppedAt + refusedWindows * this.#options.windowMs - this.#now();
    if (left <= 0) return;
    this.#counts.refusedSessions += 1n;
    const description = "what eBPF programs cost this host was above its ceiling, and sessions were stopped for it";
    throw Failure.of("OVERHEAD_LIMIT", description, {
      quota: [{ subject: "overhead", description }],
      retryAfterMs: Math.ceil(left),
    });
  }

  async #look(): Promise<void> {
    // One that takes longer than its interval is not overtaken.
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.check();
    } catch (error) {
      this.#options.log.error({ err: error }, "the overhead could not be checked");
    } finally {
      this.#busy = false;
    }
  }

  /** One look, and what follows from it. */
  async check(): Promise<void> {
    const running = (this.#sessions?.all() ?? []).filter(({ running, handle }) => running && handle !== undefined);
    if (running.length === 0) {
      this.#window.clear();
      this.#share = undefined;
      this.#level = 0;
      return;
    }
    const { bpfTime, kernelMemoryBytes } = HostStatus.decode(await this.#options.collector.status());
    const now = this.#now();
    const runNs = (bpfTime?.seconds ?? 0n) * 1_000_000_000n + BigInt(bpfTime?.nanos ?? 0);
    this.#window.add(now, runNs);
    // Where the kernel does not count, nothing is known.
    const cpuShare = runNs === 0n ? undefined : this.#window.share();
    this.#share = cpuShare ?? this.#share;
    const load = {
      cpuShare,
      memory: Number(kernelMemoryBytes),
      thinned: this.#level,
      windowsSinceStep: (now - this.#steppedAt) / this.#options.windowMs,
    };
    const why = this.#describe(load.cpuShare, load.memory);
    switch (nextStep(load, this.#options.ceilings)) {
      case "thin":
        this.#level += 1;
        this.#counts.thinnings += 1n;
        this.#stepped(now, `${why}; sessions are thinned to ${String(thinnedTo[this.#level - 1])} samples a second`);
        break;
      case "restore":
        this.#level -= 1;
        this.#counts.restorations += 1n;
        this.#stepped(now, `${why}; a step of thinning is taken back`);
        break;
      case "stop":
        this.#stoppedAt = now;
        this.#stepped(now, `${why}; the youngest session is stopped`);
        await this.#stopYoungest(running);
        break;
      case undefined:
        break;
    }
    // What was before a step says nothing of what it brought.
    if (this.#steppedAt === now) {
      this.#window.clear();
      this.#window.add(now, runNs);
    }
    await this.#thin(running, why);
  }

  #stepped(now: number, what: string): void {
    this.#steppedAt = now;
    this.#options.log.warn({ cpuShare: this.#share, level: this.#level }, what);
  }

  async #stopYoungest(running: readonly SessionRecord[]): Promise<void> {
    const youngest = running.reduce((one, other) => (other.createdAt >= one.createdAt ? other : one));
    this.#counts.stoppedSessions += 1n;
    await this.#sessions?.stop(youngest, StopReason.OVERHEAD);
  }

  /** Brings every session to the level that holds, also those that came after the last step. */
  async #thin(running: readonly SessionRecord[], why: string): Promise<void> {
    for (const record of running) {
      if (!record.running || (this.#thinned.get(record) ?? 0) === this.#level) continue;
      const samplesPerSecond = thinnedTo[this.#level - 1];
      const what =
        samplesPerSecond === undefined
          ? "as many samples as were asked for again"
          : `at most ${samplesPerSecond} samples a second and CPU`;
      this.#thinned.set(record, this.#level);
      await this.#sessions?.thin(record, samplesPerSecond, `${what}: ${why}`);
    }
  }

  #describe(share: number | undefined, memory: number): string {
    const { ceilings, windowMs } = this.#options;
    if (memory > ceilings.memory)
      return `eBPF takes ${memory} bytes of kernel memory, and ${ceilings.memory} are granted (--overhead-memory)`;
    const percent = (of: number): string => `${(of * 100).toPrecision(3)} %`;
    return `eBPF programs took ${percent(share ?? 0)} of the host's processors in ${windowMs / 1000} s, and ${percent(ceilings.cpuShare)} is granted (--overhead-cpu)`;
  }
}
