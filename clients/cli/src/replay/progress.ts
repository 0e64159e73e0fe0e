import type { Output } from "../terminal/output.js";
import type { Account } from "./account.js";

const firstMs = 1000;
const everyMs = 250;

/** How far a long replay is, in one line of a terminal. */
export class Progress {
  readonly #err: Output | undefined;
  #next = performance.now() + firstMs;
  #shown = false;

  /** @param err where to show it; undefined for nowhere */
  constructor(err: Output | undefined) {
    this.#err = err;
  }

  /** Whether it is time to show how far it is. */
  get due(): boolean {
    return this.#err !== undefined && performance.now() >= this.#next;
  }

  async show(name: string, { bytes, bytes_read, packets }: Account): Promise<void> {
    this.#next = performance.now() + everyMs;
    this.#shown = true;
    const share = bytes === 0 ? "" : `${Math.floor((100 * bytes_read) / bytes)} %, `;
    await this.#err?.write(`\r\x1b[K${name}: ${share}${packets} packets`);
  }

  async clear(): Promise<void> {
    if (!this.#shown) return;
    this.#shown = false;
    await this.#err?.write("\r\x1b[K");
  }
}
