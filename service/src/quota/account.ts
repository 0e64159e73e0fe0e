import { TokenBucket } from "./bucket.js";
import type { QuotaLimits } from "./limits.js";
import type { Pause } from "./pause.js";

/** What one principal has of the service at the moment. */
export class Account {
  streams = 0;
  #bytes: TokenBucket | undefined;
  #samples: TokenBucket | undefined;

  /** Whether it is as one that was just opened. */
  get idle(): boolean {
    return this.streams === 0 && (this.#bytes?.full ?? true) && (this.#samples?.full ?? true);
  }

  /** Takes over limits; a rate that stays keeps what is owed. */
  limit({ bytesPerSecond, samplesPerSecond }: QuotaLimits): void {
    this.#bytes = withRate(this.#bytes, bytesPerSecond);
    this.#samples = withRate(this.#samples, samplesPerSecond);
  }

  get countsSamples(): boolean {
    return this.#samples !== undefined;
  }

  /** Milliseconds until more may be sent; 0 = now. */
  waitMs(): number {
    return Math.max(this.#bytes?.waitMs() ?? 0, this.#samples?.waitMs() ?? 0);
  }

  /** Waits until more may be sent. Others of the principal may have come first each time. @returns milliseconds it took */
  async ready(pause: Pause): Promise<number> {
    const began = performance.now();
    for (let wait = this.waitMs(); wait > 0 && !pause.isCut; wait = this.waitMs()) await pause.for(wait);
    return performance.now() - began;
  }

  sent(bytes: number, samples: number): void {
    this.#bytes?.take(bytes);
    this.#samples?.take(samples);
  }
}

function withRate(bucket: TokenBucket | undefined, perSecond: number | undefined): TokenBucket | undefined {
  if (perSecond === undefined) return undefined;
  return bucket?.perSecond === perSecond ? bucket : new TokenBucket(perSecond);
}
