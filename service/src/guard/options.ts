import { z } from "zod";
import { bytes } from "../config/bytes.js";
import { duration } from "../config/duration.js";
import { withFallback } from "../config/option.js";

/** A share as a person writes it (`2%`, `0.5%`), as a number from 0 to 1. */
const percent = z.string().transform((text, context): number => {
  const amount = Number(/^(\d+(?:\.\d+)?)%$/.exec(text)?.[1] ?? Number.NaN);
  if (!(amount > 0 && amount <= 100)) {
    context.addIssue({ code: "custom", message: `"${text}" is not a share such as 2% or 0.5%, at most 100%` });
    return z.NEVER;
  }
  return amount / 100;
});

/** What eBPF may cost the host. */
export const guardOptions = {
  overheadCpu: withFallback(percent, "2%", {
    description:
      "the share of this host's processors that eBPF programs may take before sessions are thinned, then stopped",
    value: "PERCENT",
  }),
  overheadMemory: withFallback(bytes, "64MiB", {
    description: "how much kernel memory eBPF programs and maps may take before the youngest session is stopped",
    value: "BYTES",
  }),
  overheadWindow: withFallback(
    duration.refine((milliseconds) => milliseconds >= 100, { error: "it must be at least 100ms" }),
    "10s",
    { description: "how long the overhead is looked at before something follows from it", value: "TIME" },
  ),
};

// What a flow takes with everything that grows with it, at least.
const bytesPerFlow = 1024;

/** What is wrong with tables that the guard would stop every session for; undefined = nothing. */
export function memoryIssue(packetFlows: number, overheadMemory: number): string | undefined {
  const least = packetFlows * bytesPerFlow;
  if (least <= overheadMemory) return undefined;
  return `${packetFlows} flows take ${least / 2 ** 20} MiB of kernel memory, more than --overhead-memory grants`;
}
