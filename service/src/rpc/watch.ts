import { drainingFailure } from "./context.js";
import { Latch } from "./latch.js";

const bookmarkIntervalMs = 30_000;

/** The parts of a watching method; each answers false when the client is gone. */
export interface WatchSteps {
  /** Sends what has changed since the last call; at first, what there is. */
  changes: () => Promise<boolean>;
  bookmark: () => Promise<boolean>;
  /** @returns how to unsubscribe */
  subscribe: (listener: () => void) => () => void;
}

/** What there is, a bookmark, then changes as they happen and a bookmark now and then, until the client leaves. @throws Failure DRAINING, or why the caller may no longer watch */
export async function watch(
  gone: AbortSignal,
  { draining, revoked }: { draining: AbortSignal; revoked: AbortSignal },
  steps: WatchSteps,
): Promise<void> {
  const wake = new Latch();
  const open = (): void => {
    wake.open();
  };
  let bookmarkDue = true;
  const timer = setInterval(() => {
    bookmarkDue = true;
    open();
  }, bookmarkIntervalMs).unref();
  gone.addEventListener("abort", open);
  draining.addEventListener("abort", open);
  revoked.addEventListener("abort", open);
  const unsubscribe = steps.subscribe(open);
  try {
    for (;;) {
      revoked.throwIfAborted();
      if (draining.aborted) throw drainingFailure();
      if (!(await steps.changes())) return;
      if (bookmarkDue && !(await steps.bookmark())) return;
      bookmarkDue = false;
      await wake.wait();
      if (gone.aborted) return;
    }
  } finally {
    clearInterval(timer);
    draining.removeEventListener("abort", open);
    unsubscribe();
  }
}
