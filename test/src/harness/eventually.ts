import { setTimeout as delay } from "node:timers/promises";

/**
 * Waits for something that offers no latch, by asking again and again.
 *
 * @param what What is waited for, for the message.
 * @param withinMs The bound; reaching it rejects.
 */
export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
  withinMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${String(withinMs)} ms: ${what}`);
    await delay(10);
  }
}
