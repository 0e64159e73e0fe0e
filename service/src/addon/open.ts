import type * as addon from "@latscope/addon";
import { createRequire } from "node:module";
import type { Collector, CollectorOptions } from "./types.js";

interface Addon {
  Collector: { open(options: CollectorOptions): Collector };
}

/** The native addon cannot be loaded; the message says why, for a person. */
export class AddonError extends Error {
  override readonly name = "AddonError";
}

/** Loads the native addon and opens the collector. @throws AddonError, or what `failure/from-addon.ts` reads */
export function openCollector(options: CollectorOptions): Collector {
  return loadAddon().Collector.open(options);
}

function loadAddon(): Addon {
  try {
    return createRequire(import.meta.url)("@latscope/addon") as typeof addon satisfies Addon;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AddonError(`the native addon cannot be loaded (npm run build makes it): ${why}`, { cause });
  }
}
