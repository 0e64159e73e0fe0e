import type { Policies } from "../auth/policy/policies.js";
import { Failure } from "../failure/failure.js";
import type { ServiceReason } from "../failure/reason.js";
import type { Actor, Caller } from "../rpc/caller.js";
import { Account } from "./account.js";
import type { QuotaLimits } from "./limits.js";
import type { SessionQuota } from "./session-quota.js";

const retryStreamMs = 1000;
const retrySessionMs = 10_000;
// Accounts that nobody uses are looked for when there are twice as many as after the last look.
const fewAccounts = 64;

/** What each principal has, and what it may have at most. */
export class Quotas {
  readonly #configured: QuotaLimits;
  readonly #policies: Policies;
  readonly #accounts = new Map<string, Account>();
  #sweepAt = fewAccounts;

  /** @param configured for whom no rule of the policy says otherwise */
  constructor(configured: QuotaLimits, policies: Policies) {
    this.#configured = configured;
    this.#policies = policies;
  }

  /** @throws Failure RULE_MISSING */
  limitsOf(caller: Actor): QuotaLimits {
    return { ...this.#configured, ...this.#policies.authorityOf(caller).quota };
  }

  /** The account of a caller, with the limits that hold for it now. */
  of(caller: Caller): Account {
    return this.#of(caller, this.limitsOf(caller));
  }

  #of(caller: Caller, limits: QuotaLimits): Account {
    let account = this.#accounts.get(caller.owner);
    if (account === undefined) {
      this.#sweep();
      account = new Account();
      this.#accounts.set(caller.owner, account);
    }
    account.limit(limits);
    return account;
  }

  /** Counts a stream in. @returns how to count it out @throws Failure STREAM_QUOTA */
  enterStream(caller: Caller): () => void {
    const limits = this.limitsOf(caller);
    const account = this.#of(caller, limits);
    const { streams } = limits;
    if (streams !== undefined && account.streams >= streams) {
      throw exceeded(
        "STREAM_QUOTA",
        "streams",
        `${who(caller)} may have ${streams} streams open at once`,
        retryStreamMs,
      );
    }
    account.streams += 1;
    return () => {
      account.streams -= 1;
    };
  }

  /** What the sessions of a caller may take. */
  ofSessions(caller: Actor): SessionQuota {
    const { sessions, kernelMemory } = this.limitsOf(caller);
    return {
      checkCount: (own) => {
        if (sessions === undefined || own < sessions) return;
        const description = `${who(caller)} may have ${sessions} sessions at once; delete one, also one that is stopped`;
        throw exceeded("SESSION_QUOTA", "sessions", description, retrySessionMs);
      },
      limitsKernelMemory: kernelMemory !== undefined,
      checkKernelMemory: (used) => {
        if (kernelMemory === undefined || used <= kernelMemory) return;
        const description = `the sessions of ${who(caller)} may use ${kernelMemory} bytes of kernel memory together, and would use ${used}`;
        throw exceeded("KERNEL_MEMORY_QUOTA", "kernel_memory", description, retrySessionMs);
      },
    };
  }

  /** For an answer that cannot come piece by piece. @throws Failure BYTES_QUOTA while the caller was sent too much */
  checkBytes(caller: Caller): void {
    const limits = this.limitsOf(caller);
    const wait = this.#of(caller, limits).waitMs();
    if (wait === 0) return;
    const { bytesPerSecond, samplesPerSecond } = limits;
    const rates = [
      ...(bytesPerSecond === undefined ? [] : [`${bytesPerSecond} bytes`]),
      ...(samplesPerSecond === undefined ? [] : [`${samplesPerSecond} samples`]),
    ];
    throw exceeded("BYTES_QUOTA", "bytes_per_second", `${who(caller)} is sent ${rates.join(" and ")} a second`, wait);
  }

  #sweep(): void {
    if (this.#accounts.size < this.#sweepAt) return;
    for (const [owner, account] of this.#accounts) if (account.idle) this.#accounts.delete(owner);
    this.#sweepAt = Math.max(fewAccounts, 2 * this.#accounts.size);
  }
}

function who({ owner }: Actor): string {
  return owner === "" ? "everybody on plaintext TCP together" : owner;
}

function exceeded(reason: ServiceReason, subject: string, description: string, retryAfterMs: number): Failure {
  return Failure.of(reason, description, { quota: [{ subject, description }], retryAfterMs });
}
