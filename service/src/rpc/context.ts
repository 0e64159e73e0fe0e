import type { Logger } from "../log/logger.js";
import type { Policies } from "../auth/policy/policies.js";
import { Failure } from "../failure/failure.js";
import type { Quotas } from "../quota/quotas.js";

/** What every call shares. */
export interface RpcContext {
  log: Logger;
  /** Aborted once the service drains: no new work is taken, streams end. */
  draining: AbortSignal;
  /** The streams that are open now. */
  streams: StreamCount;
  /** Who may do what. */
  policies: Policies;
  quotas: Quotas;
}

/** Counts open streams against the configured bound. */
export class StreamCount {
  #open = 0;

  constructor(readonly limit: number) {}

  get open(): number {
    return this.#open;
  }

  /** @throws Failure STREAM_LIMIT */
  enter(): void {
    if (this.#open >= this.limit) {
      const description = `at most ${this.limit} streams are open at once`;
      throw Failure.of("STREAM_LIMIT", description, {
        quota: [{ subject: "streams", description }],
        retryAfterMs: 1000,
      });
    }
    this.#open += 1;
  }

  leave(): void {
    this.#open -= 1;
  }
}

/** @throws Failure DRAINING once the service is about to stop */
export function refuseWhileDraining({ draining }: RpcContext): void {
  if (draining.aborted) throw drainingFailure();
}

export function drainingFailure(): Failure {
  return Failure.of("DRAINING", "the service is stopping", { retryAfterMs: 1000 });
}
