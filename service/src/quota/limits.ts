import { z } from "zod";
import { bytes } from "../config/bytes.js";
import { described } from "../config/option.js";
import type { OptionMeta } from "../config/option.js";

/** What one principal gets at most; undefined = as much as the service gives. */
export interface QuotaLimits {
  /** Sessions that exist at once. */
  sessions: number | undefined;
  /** Streams that are open at once. */
  streams: number | undefined;
  /** Of what its streams of samples and histograms and its snapshots send. */
  bytesPerSecond: number | undefined;
  /** Individual samples that its streams send. */
  samplesPerSecond: number | undefined;
  /** Bytes of the eBPF maps that its sessions use, each map once. */
  kernelMemory: number | undefined;
}

// A stream that sends less than a message every few seconds would look as if it were dead.
const leastBytesPerSecond = 16 * 1024;
const leastSamplesPerSecond = 10;

const count = z.coerce.number().int().min(0).max(100_000);
const byteRate = bytes.refine((amount) => amount >= leastBytesPerSecond, { error: "it must be at least 16KiB" });
const sampleRate = z.coerce.number().int().min(leastSamplesPerSecond).max(4_294_967_295);

/** A `quota` block, as a rule of the policy has it: what it leaves out is as configured for everybody. */
export const quotaSchema = z.strictObject({
  sessions: count.optional(),
  streams: count.optional(),
  bytesPerSecond: byteRate.optional(),
  samplesPerSecond: sampleRate.optional(),
  kernelMemory: bytes.optional(),
});

/** What one principal gets at most for whom no rule says otherwise. */
export const quotaOptions = {
  quotaSessions: option(count, { description: "how many sessions one principal may have at once", value: "COUNT" }),
  quotaStreams: option(count, { description: "how many streams one principal may have open at once", value: "COUNT" }),
  quotaBytesPerSecond: option(byteRate, {
    description: "how many bytes of samples, histograms and snapshots one principal is sent a second",
    value: "BYTES",
  }),
  quotaSamplesPerSecond: option(sampleRate, {
    description: "how many individual samples one principal is sent a second",
    value: "COUNT",
  }),
  quotaKernelMemory: option(bytes, {
    description: "how much kernel memory the sessions of one principal may use together",
    value: "BYTES",
  }),
};

function option<T extends z.ZodType>(type: T, { description, value }: { description: string; value: string }) {
  const meta: OptionMeta = { description: `${description} (default: as many as the service gives)`, value };
  return described(type.optional(), meta);
}

/** The limits of a configuration. */
export function configuredLimits(config: {
  quotaSessions?: number | undefined;
  quotaStreams?: number | undefined;
  quotaBytesPerSecond?: number | undefined;
  quotaSamplesPerSecond?: number | undefined;
  quotaKernelMemory?: number | undefined;
}): QuotaLimits {
  return {
    sessions: config.quotaSessions,
    streams: config.quotaStreams,
    bytesPerSecond: config.quotaBytesPerSecond,
    samplesPerSecond: config.quotaSamplesPerSecond,
    kernelMemory: config.quotaKernelMemory,
  };
}
