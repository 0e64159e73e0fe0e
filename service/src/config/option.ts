import type { z } from "zod";

/** How an option shows in `--help`. */
export interface OptionMeta {
  description: string;
  /** What follows the flag; a flag without one is a switch. */
  value?: string;
  /** What it is when nobody says otherwise, as one would write it. */
  fallback?: string;
}

/** An option that has no value, or one of its type's own, when nobody says otherwise. */
export function described<T extends z.ZodType>(type: T, meta: OptionMeta): T {
  return type.meta({ ...meta });
}

/** An option with a default, as one would write it. */
export function withFallback<T extends z.ZodType>(
  type: T,
  fallback: string & z.input<T>,
  meta: OptionMeta,
): z.ZodPrefault<T> {
  return type.prefault(fallback).meta({ ...meta, fallback });
}
