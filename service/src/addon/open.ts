import type { Collector, CollectorOptions } from "./types.js";

interface Addon {
  Collector: { open(options: CollectorOptions): Collector };
}

/** Loads the native addon and opens the collector. @throws what `failure/from-addon.ts` reads, or an error when the addon is not built */
export async function openCollector(options: CollectorOptions): Promise<Collector> {
  const { Collector } = (await import("@latscope/addon")) as Addon;
  return Collector.open(options);
}
