import { Failure } from "../../failure/failure.js";
import type { Caller } from "../../rpc/caller.js";
import { defaultPolicy, type Authority, type Policy } from "./authority.js";
import { decidedBy } from "./denial.js";
import { neededFor } from "./method.js";
import { reaches, type Role } from "./role.js";

/** Where the policy comes from: a file that may change. */
export interface PolicySource {
  readonly current: Policy;
  subscribe(listener: () => void): void;
}

const unchanging: PolicySource = { current: defaultPolicy, subscribe: () => undefined };

type Asking = Pick<Caller, "principal" | "method" | "record">;

/** The policy in force, and what it says of callers. */
export class Policies {
  readonly #source: PolicySource;
  readonly #listeners = new Set<() => void>();

  constructor(source = unchanging) {
    this.#source = source;
    source.subscribe(() => {
      for (const listener of this.#listeners) listener();
    });
  }

  /** Whether a call may be made at all, whatever it is about. @throws Failure RULE_MISSING, ROLE_MISSING */
  admit(caller: Asking): void {
    const needed = neededFor(caller.method);
    if (needed === undefined) caller.record.decision = "allowed";
    else this.require(needed, caller, caller.method.slice(caller.method.lastIndexOf("/") + 1));
  }

  /** What a caller may do now. @throws Failure RULE_MISSING */
  authorityOf({ principal, record }: Asking): Authority {
    const authority = this.#source.current.authorityOf(principal);
    if (authority === undefined) {
      throw Failure.of("RULE_MISSING", `no rule of the policy names ${principal.name || "plaintext callers"}`, {
        metadata: { principal: principal.name },
      });
    }
    record.rule = authority.rule;
    return authority;
  }

  /** @param what that takes the role, for a person @throws Failure RULE_MISSING, ROLE_MISSING */
  require(needed: Role, caller: Asking, what: string): Authority {
    const authority = this.authorityOf(caller);
    if (!reaches(authority.role, needed)) {
      const { rule, role } = authority;
      throw Failure.of("ROLE_MISSING", `${what} takes the role ${needed}; rule ${JSON.stringify(rule)} gives ${role}`, {
        metadata: { ...decidedBy(authority), needed },
      });
    }
    caller.record.decision = "allowed";
    return authority;
  }

  /** Calls the listener after each change of the policy. @returns how to unsubscribe */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
