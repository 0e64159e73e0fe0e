import { readdir, readFile } from "node:fs/promises";

import { output } from "./command.js";

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
  for (const program of await listing("prog")) {
    if (ids.prog_id.has(program.id)) program.map_ids?.forEach((map) => ids.map_id.add(map));
  }
  return { programs: [...ids.prog_id], maps: [...ids.map_id], links: [...ids.link_id] };
}

/** Those of the objects that the kernel still has, whoever holds them. */
export async function stillThere(objects: BpfObjects): Promise<BpfObjects> {
  const [programs, maps, links] = await Promise.all([listing("prog"), listing("map"), listing("link")]);
  const among = (ids: readonly number[], all: readonly { id: number }[]): number[] =>
    ids.filter((id) => all.some((one) => one.id === id));
  return {
    programs: among(objects.programs, programs),
    maps: among(objects.maps, maps),
    links: among(objects.links, links),
  };
}

/** How many objects there are in all. */
export function total(objects: BpfObjects): number {
  return objects.programs.length + objects.maps.length + objects.links.length;
}

async function listing(kind: "prog" | "map" | "link"): Promise<{ id: number; map_ids?: number[] }[]> {
  const text = await output(["bpftool", "-j", kind, "list"]);
  return JSON.parse(text.trim() === "" ? "[]" : text) as { id: number; map_ids?: number[] }[];
}
