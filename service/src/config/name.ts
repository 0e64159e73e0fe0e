/** `drainTimeout` -> `drain-timeout`, as it is called in the file. */
export function keyOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `drainTimeout` -> `--drain-timeout`. */
export function flagOf(name: string): string {
  return `--${keyOf(name)}`;
}

/** `drainTimeout` -> `LATSCOPE_DRAIN_TIMEOUT`. */
export function variableOf(name: string): string {
  return `LATSCOPE_${keyOf(name).replaceAll("-", "_").toUpperCase()}`;
}
