/** Nanoseconds as milliseconds with three decimals, half up: `11.214`. */
export function milliseconds(ns: bigint): string {
  const sign = ns < 0n ? "-" : "";
  const micros = ((ns < 0n ? -ns : ns) + 500n) / 1000n;
  return `${sign}${micros / 1000n}.${(micros % 1000n).toString().padStart(3, "0")}`;
}

const units = [
  ["d", 86_400_000_000_000n],
  ["h", 3_600_000_000_000n],
  ["m", 60_000_000_000n],
  ["s", 1_000_000_000n],
] as const;

/** Nanoseconds as a person says them, in at most two units: `2h 5m`, `3.25 s`, `12.000 ms`. */
export function span(ns: bigint): string {
  if (ns < 1_000_000_000n) return `${milliseconds(ns)} ms`;
  if (ns < 60_000_000_000n) return `${(Number(ns / 1_000_000n) / 1000).toFixed(2)} s`;
  const at = units.findIndex(([, length]) => ns >= length);
  const parts = units.slice(at, at + 2).map(([name, length], index) => {
    const whole = index === 0 ? ns / length : (ns % (units[at]?.[1] ?? length)) / length;
    return `${whole}${name}`;
  });
  return parts.join(" ");
}
