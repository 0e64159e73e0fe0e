import { Collection, Filter, SessionSpec, type Limits } from "@latscope/proto";
import type { Command } from "commander";
import { addFilterFlags, clauseFrom, type FilterFlags, type LatencyFlag } from "./filter.js";
import { flag } from "./flag.js";
import { duration, type Duration, each, name, small, wholeNumber } from "./parse.js";
import { addProbeFlags, probesFrom, type ProbeFlags } from "./probes.js";
import { UsageError } from "./usage.js";

/** The flags that make a session's spec. */
export interface SpecFlags extends ProbeFlags, FilterFlags {
  interface?: string[];
}

/** The flags that bound a session that outlives its command. */
export interface LimitFlags {
  duration?: Duration;
  maxSamples?: bigint;
  maxSamplesPerSecond?: number;
  idleTimeout?: Duration;
  retain?: Duration;
  historyBytes?: bigint;
}

const most64 = 2n ** 64n - 1n;

/** Adds the flags of {@link SpecFlags}. */
export function addSpecFlags(command: Command): void {
  addProbeFlags(command);
  addFilterFlags(command);
  command.addOption(
    flag("--interface <name>", "interface, or a pattern such as veth*; default: all that are up", each(name)),
  );
}

/** Adds the flags of {@link LimitFlags}. */
export function addLimitFlags(command: Command): void {
  const flags = [
    flag("--duration <time>", "stop after this time", duration),
    flag("--max-samples <count>", "stop after so many samples", wholeNumber(1n, most64)),
    flag(
      "--max-samples-per-second <count>",
      "cap of individual samples on each CPU; 0 for none",
      small(0, 4_294_967_295),
    ),
    flag("--idle-timeout <time>", "stop when nobody has read for this long", duration),
    flag("--retain <time>", "keep what was collected this long after the stop", duration),
    flag("--history-bytes <bytes>", "samples kept in memory to be read again", wholeNumber(0n, most64)),
  ];
  for (const option of flags) command.addOption(option.helpGroup("Limits:"));
}

/** The spec that flags ask for. @throws UsageError when they name nothing to measure */
export function specFrom(flags: SpecFlags & LatencyFlag & LimitFlags): SessionSpec {
  const metrics = flags.metric ?? [];
  const probes = probesFrom(flags, metrics, flags.pid ?? []);
  if (probes.length === 0) throw new UsageError("say what to measure, for example --tcp");
  return SessionSpec.fromPartial({
    probes,
    filters: clauseFrom(flags),
    interfaces: flags.interface ?? [],
    ...collectionFrom(flags),
    ...limitsFrom(flags),
  });
}

/** The clause for a reader of a session that somebody else made. */
export function readerFiltersFrom(flags: FilterFlags & LatencyFlag): Filter[] {
  if (flags.minLatency === undefined) return clauseFrom(flags);
  const [clause = Filter.fromPartial({})] = clauseFrom(flags);
  return [{ ...clause, minLatency: flags.minLatency }];
}

function collectionFrom({ minLatency, maxSamplesPerSecond }: LatencyFlag & LimitFlags): { collection?: Collection } {
  if (minLatency === undefined && maxSamplesPerSecond === undefined) return {};
  return { collection: { ...Collection.fromPartial({}), sampleMinLatency: minLatency, maxSamplesPerSecond } };
}

function limitsFrom({ duration, maxSamples, idleTimeout, retain, historyBytes }: LimitFlags): { limits?: Limits } {
  const limits: Limits = { duration, maxSamples, idleTimeout, retain, historyBytes };
  return Object.values(limits).some((value) => value !== undefined) ? { limits } : {};
}
