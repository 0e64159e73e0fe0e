/** Tells the person who started the service something, in one line on stdout. */
export function announce(line: string): void {
  process.stdout.write(`latscope: ${line}\n`);
}

/** Shows a command to copy: indented, on a line of its own. */
export function announceCommand(line: string): void {
  process.stdout.write(`  ${line}\n`);
}
