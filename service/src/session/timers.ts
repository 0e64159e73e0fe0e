// setTimeout's own limit is 2^31 - 1 ms, some 24 days; longer waits are made of several.
const longestWait = 2 ** 31 - 1;

/** Named timers of one session. None keeps the process alive. */
export class Timers<Name extends string> {
  readonly #running = new Map<Name, NodeJS.Timeout>();

  /** Starts a timer, or starts it again. */
  set(name: Name, milliseconds: number, action: () => void): void {
    this.clear(name);
    const wait = Math.min(milliseconds, longestWait);
    const timer = setTimeout(() => {
      this.#running.delete(name);
      if (milliseconds > longestWait) this.set(name, milliseconds - longestWait, action);
      else action();
    }, wait);
    timer.unref();
    this.#running.set(name, timer);
  }

  clear(name: Name): void {
    clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }

  clearAll(): void {
    for (const name of this.#running.keys()) this.clear(name);
  }
}
