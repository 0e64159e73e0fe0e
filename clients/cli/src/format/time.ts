const second = 1_000_000_000n;

/** Prints local times of day, `14:03:07.218`; remembers the last second, as samples come in order. */
export class Clock {
  #second = -1n;
  #text = "";

  /** @param ns nanoseconds since 1970 */
  timeOfDay(ns: bigint): string {
    const whole = ns / second;
    if (whole !== this.#second) {
      const date = new Date(Number(whole) * 1000);
      this.#text = [date.getHours(), date.getMinutes(), date.getSeconds()]
        .map((part) => part.toString().padStart(2, "0"))
        .join(":");
      this.#second = whole;
    }
    return `${this.#text}.${((ns % second) / 1_000_000n).toString().padStart(3, "0")}`;
  }
}

/** A protobuf Timestamp or Duration in nanoseconds; unset counts as zero. */
export function nanoseconds(time: { seconds: bigint; nanos: number } | undefined): bigint {
  return time === undefined ? 0n : time.seconds * second + BigInt(time.nanos);
}

/** A protobuf Timestamp to the second, in UTC: `2026-11-24 06:30:17Z`; `-` when unset. */
export function dateAndTime(time: { seconds: bigint } | undefined): string {
  if (time === undefined) return "-";
  return new Date(Number(time.seconds) * 1000).toISOString().replace("T", " ").replace(".000Z", "Z");
}
