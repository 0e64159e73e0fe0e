import type { Collector, CollectorOptions } from "./types.js";

interface Addon {
  Collector: { open(options: CollectorOptions): Collector };
}

/** The native addon cannot be loaded; the message says why, for a person. */
export class AddonError extends Error {
  override readonly name = "AddonError";
}

/** Loads the native addon and opens the collector. @throws AddonError, or what `failure/from-addon.ts` reads */
export async function openCollector(options: CollectorOptions): Promise<Collector> {
  const { Collector } = await loadAddon();
  return Collector.open(options);
}

async function loadAddon(): Promise<Addon> {
  try {
    return await import("@latscope/addon");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AddonError(`the native addon cannot be loaded (npm run build makes it): ${why}`, { cause });
  }
}
