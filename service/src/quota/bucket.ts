// Whoever was quiet may send so much at once.
const burstMs = 1000;

/**
 * Lets a rate through in the long run. What is taken may be more than there is: it is owed then, and nothing more can be taken
 * until it is paid, so that a message need not be cut to fit.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #now: () => number;
  #level: number;
  #at: number;

  /** @param now a clock in milliseconds that never goes back */
  constructor(
    readonly perSecond: number,
    now: () => number = () => performance.now(),
  ) {
    this.#perMs = perSecond / 1000;
    this.#now = now;
    this.#level = this.#perMs * burstMs;
    this.#at = now();
  }

  /** Milliseconds until something may be taken; 0 = now. */
  waitMs(): number {
    this.#fill();
    return this.#level >= 0 ? 0 : Math.ceil(-this.#level / this.#perMs);
  }

  take(amount: number): void {
    this.#fill();
    this.#level -= amount;
  }

  /** Whether it is as if nothing had ever been taken. */
  get full(): boolean {
    this.#fill();
    return this.#level >= this.#perMs * burstMs;
  }

  #fill(): void {
    const now = this.#now();
    this.#level = Math.min(this.#perMs * burstMs, this.#level + (now - this.#at) * this.#perMs);
    this.#at = now;
  }
}
