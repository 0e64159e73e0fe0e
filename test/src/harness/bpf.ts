import { readdir, readFile } from "node:fs/promises";

import { run } from "./command.js";

/** Kernel ids of eBPF objects. */
export interface BpfObjects {
  readonly programs: readonly number[];
  readonly maps: readonly number[];
  readonly links: readonly number[];
}

/** The eBPF objects that a process holds open, and the maps its programs use. */
export async function bpfObjectsOf(pid: number): Promise<BpfObjects> {
  const folder = `/proc/${String(pid)}/fdinfo`;
  const ids = { prog_id: new Set<number>(), map_id: new Set<number>(), link_id: new Set<number>() };
  for (const descriptor of await readdir(folder)) {
    // A descriptor may be closed between the two readings.
    const text = await readFile(`${folder}/${descriptor}`, "utf8").catch(() => "");
    for (const [, key, id] of text.matchAll(/^(prog_id|map_id|link_id):\s*(\d+)$/gm)) {
      ids[key as keyof typeof ids].add(Number(id));
    }
  }
  for (const program of ids.prog_id) {
    const { map_ids: used = [] } = (await show("prog", program)) ?? {};
    for (const map of used) ids.map_id.add(map);
  }
  return { programs: [...ids.prog_id], maps: [...ids.map_id], links: [...ids.link_id] };
}

/** Those of the objects that the kernel still has, whoever holds them. */
export async function stillThere(objects: BpfObjects): Promise<BpfObjects> {
  const among = async (kind: Kind, ids: readonly number[]): Promise<number[]> => {
    const found = await Promise.all(ids.map(async (id) => ((await show(kind, id)) === undefined ? [] : [id])));
    return found.flat();
  };
  return {
    programs: await among("prog", objects.programs),
    maps: await among("map", objects.maps),
    links: await among("link", objects.links),
  };
}

/** A map's name, and how many entries it has room for. */
export async function roomOf(map: number): Promise<[name: string, entries: number]> {
  const { name = "", max_entries: entries = 0 } = (await show("map", map)) ?? {};
  return [name, entries];
}

/** How many objects there are in all. */
export function total(objects: BpfObjects): number {
  return objects.programs.length + objects.maps.length + objects.links.length;
}

type Kind = "prog" | "map" | "link";

/** What is read of bpftool's answers. */
interface Shown {
  readonly map_ids?: number[];
  readonly name?: string;
  readonly max_entries?: number;
}

/** One object; undefined when the kernel has none of that id. A listing of all would fail when any of the host's goes away under it. */
async function show(kind: Kind, id: number): Promise<Shown | undefined> {
  const { code, stdout } = await run(["bpftool", "-j", kind, "show", "id", String(id)]);
  if (code === 0) return JSON.parse(stdout) as Shown;
  const { error } = JSON.parse(stdout) as { error: string };
  if (error.includes("No such file or directory")) return undefined;
  throw new Error(`bpftool ${kind} ${id}: ${error}`);
}
