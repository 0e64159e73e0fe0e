import { readdir, readFile } from "node:fs/promises";

/** Open files of a process. */
export async function openFiles(pid: number): Promise<number> {
  return (await readdir(`/proc/${String(pid)}/fd`)).length;
}

/** Memory of a process that no file backs, in bytes. */
export async function ownMemory(pid: number): Promise<number> {
  const text = await readFile(`/proc/${String(pid)}/status`, "utf8");
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kilobytes === undefined) throw new Error("no RssAnon in /proc/PID/status");
  return Number(kilobytes) * 1024;
}
