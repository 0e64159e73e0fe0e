import { readdir, readFile } from "node:fs/promises";

/** What `/proc/PID/task/TID/status` says of each thread that is there, field by field. */
export async function threadStatus(pid: number): Promise<ReadonlyMap<string, string>[]> {
  const tasks = `/proc/${pid}/task`;
  const texts = (await readdir(tasks)).map((tid) => readFile(`${tasks}/${tid}/status`, "utf8").catch(() => undefined));
  // A thread may have ended since.
  const present = (await Promise.all(texts)).filter((text) => text !== undefined);
  return present.map(
    (text) =>
      new Map(text.split("\n").map((line): [string, string] => [line.split(":")[0] ?? "", line.split("\t")[1] ?? ""])),
  );
}

/** Each value that a field has in some thread. */
export function valuesOf(threads: readonly ReadonlyMap<string, string>[], field: string): string[] {
  return [...new Set(threads.map((thread) => thread.get(field) ?? ""))].sort();
}

/** Capabilities as `/proc` shows a set of them, by their numbers. */
export function capabilityMask(...numbers: readonly number[]): string {
  return numbers
    .reduce((mask, number) => mask | (1n << BigInt(number)), 0n)
    .toString(16)
    .padStart(16, "0");
}
