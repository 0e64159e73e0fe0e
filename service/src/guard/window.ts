/** A reading of how long programs have run. */
interface Reading {
  atMs: number;
  runNs: bigint;
}

/** How much of the host's processors something took lately. */
export class CpuWindow {
  readonly #readings: Reading[] = [];

  /** @param lengthMs how far back it looks @param processors of the host */
  constructor(
    readonly lengthMs: number,
    readonly processors: number,
  ) {}

  /** @param runNs since some beginning; it falls when a program goes away */
  add(atMs: number, runNs: bigint): void {
    const last = this.#readings.at(-1);
    if (last !== undefined && runNs < last.runNs) {
      // What the program that went away had run is missing from now on: as if it had never run.
      const gone = last.runNs - runNs;
      for (const reading of this.#readings) reading.runNs -= gone;
    }
    this.#readings.push({ atMs, runNs });
    // One reading that is older than the window stays, so that the window is whole.
    while ((this.#readings[1]?.atMs ?? atMs) <= atMs - this.lengthMs) this.#readings.shift();
  }

  /** 1 = all of them; undefined until it was watched for the whole window. */
  share(): number | undefined {
    const [first] = this.#readings;
    const last = this.#readings.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < this.lengthMs) return undefined;
    return Number(last.runNs - first.runNs) / 1e6 / (last.atMs - first.atMs) / this.processors;
  }

  clear(): void {
    this.#readings.length = 0;
  }
}
