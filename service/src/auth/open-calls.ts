import type { Caller } from "../rpc/caller.js";
import { Failure } from "../failure/failure.js";

// setTimeout's own limit is 2^31 - 1 ms; a credential that is good for longer is looked at again then.
const longestWait = 2 ** 31 - 1;

/** The calls that are under way, so that those of somebody who may no longer call can be ended. */
export class OpenCalls {
  readonly #calls = new Map<Caller, NodeJS.Timeout | undefined>();

  /** @returns what to do when the call has ended */
  enter(caller: Caller): () => void {
    this.#calls.set(caller, undefined);
    this.#awaitExpiry(caller);
    return () => {
      clearTimeout(this.#calls.get(caller));
      this.#calls.delete(caller);
    };
  }

  /** Ends every call for which the check throws a Failure, with that. */
  async recheck(check: (caller: Caller) => void | Promise<void>): Promise<void> {
    await Promise.all(
      [...this.#calls.keys()].map(async (caller) => {
        try {
          await check(caller);
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
          caller.revoke(error);
        }
      }),
    );
  }

  #awaitExpiry(caller: Caller): void {
    const { expiresAt } = caller.credential;
    if (expiresAt === undefined) return;
    const timer = setTimeout(
      () => {
        if (expiresAt > Date.now()) this.#awaitExpiry(caller);
        else caller.revoke(Failure.of("ACCESS_REVOKED", `what ${caller.owner} was let in by has expired`));
      },
      Math.min(Math.max(0, expiresAt - Date.now()), longestWait),
    );
    this.#calls.set(caller, timer.unref());
  }
}
