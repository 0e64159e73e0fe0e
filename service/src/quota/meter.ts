import type { ReaderHandle } from "../addon/types.js";
import type { Account } from "./account.js";
import { Pause } from "./pause.js";

/** What one stream takes of its principal's rates. */
export class Meter {
  readonly #account: Account;
  readonly #reader: Pick<ReaderHandle, "delivered">;
  readonly #pause = new Pause();
  #counted = 0;
  #heldUpMs = 0;

  constructor(account: Account, reader: Pick<ReaderHandle, "delivered">) {
    this.#account = account;
    this.#reader = reader;
  }

  /** How long it was held up so far. */
  get heldUpMs(): number {
    return this.#heldUpMs;
  }

  /** Waits until more may be sent. Meanwhile nothing is read: the reader falls behind, and its overflow policy says what then. */
  async ready(): Promise<void> {
    this.#heldUpMs += await this.#account.ready(this.#pause);
  }

  sent(message: Buffer): void {
    let samples = 0;
    if (this.#account.countsSamples) {
      const { delivered = 0 } = this.#reader;
      samples = delivered - this.#counted;
      this.#counted = delivered;
    }
    this.#account.sent(message.length, samples);
  }

  /** It does not wait any more. */
  cut(): void {
    this.#pause.cut();
  }
}
