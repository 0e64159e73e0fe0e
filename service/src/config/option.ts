import { z } from "zod";
import { duration } from "./duration.js";

/** How an option shows in `--help` and in docs/configuration.md. */
export interface OptionMeta {
  description: string;
  /** What follows the flag; a flag without one is a switch. */
  value?: string;
  /** What it is when nobody says otherwise, as one would write it. */
  fallback?: string;
}

/** One section of the options: the key gives the flag (`--drain-timeout`), the variable (`LATSCOPE_DRAIN_TIMEOUT`) and the key in the file. */
export type OptionSection = Readonly<Record<string, z.ZodType>>;

export const absolutePath = z.string().startsWith("/", { error: "the path must be absolute" });
export const count = (most: number) => z.coerce.number().int().min(1).max(most);
export const someTime = duration.refine((milliseconds) => milliseconds > 0, { error: "it must be longer than 0" });

/** An option without a default, or with one that depends. */
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

/** How an option shows. */
export function metaOf(option: z.ZodType): OptionMeta {
  return option.meta() as unknown as OptionMeta;
}
