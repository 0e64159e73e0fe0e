const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A number of bytes in the largest unit that leaves a whole part: `17.4 MiB`. */
export function bytes(count: bigint): string {
  let value = Number(count);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value.toString() : value.toFixed(1)} ${units[unit] ?? ""}`;
}
