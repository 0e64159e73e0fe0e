// 2^7 buckets for each power of two: a value is told apart from its neighbours to 0.55 %, a quantile is off by half of that.
const perOctave = 128;
const bucketCount = 63 * perOctave + 1;

/** Latencies in exponential buckets: memory that does not grow, exact count, minimum and maximum. */
export class Histogram {
  readonly #buckets = new Float64Array(bucketCount);
  #count = 0;
  #min = 0n;
  #max = 0n;

  get count(): number {
    return this.#count;
  }

  /** Nanoseconds; 0 while empty. */
  get min(): bigint {
    return this.#min;
  }

  /** Nanoseconds; 0 while empty. */
  get max(): bigint {
    return this.#max;
  }

  add(ns: bigint): void {
    if (this.#count === 0 || ns < this.#min) this.#min = ns;
    if (this.#count === 0 || ns > this.#max) this.#max = ns;
    this.#count += 1;
    const bucket = bucketOf(ns);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  /** The value at rank ceil(q * count), in nanoseconds, to 0.28 %; never outside what was added; 0 while empty. */
  quantile(q: number): bigint {
    let rank = Math.max(1, Math.ceil(q * this.#count));
    if (rank >= this.#count) return this.#max;
    for (const [bucket, count] of this.#buckets.entries()) {
      rank -= count;
      if (rank <= 0) return this.#clamp(BigInt(Math.round(2 ** ((bucket + 0.5) / perOctave))));
    }
    return this.#max;
  }

  #clamp(ns: bigint): bigint {
    if (ns < this.#min) return this.#min;
    return ns > this.#max ? this.#max : ns;
  }
}

function bucketOf(ns: bigint): number {
  if (ns <= 1n) return 0;
  return Math.min(Math.floor(Math.log2(Number(ns)) * perOctave), bucketCount - 1);
}
