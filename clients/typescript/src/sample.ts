import type { Sample as Row } from "@latscope/proto";

/** One latency. */
export interface Sample extends Omit<Row, "time" | "latency"> {
  /** When the event happened that ended it, in nanoseconds since 1970. */
  readonly timeNs: bigint;
  /** How long it took, in nanoseconds. */
  readonly latencyNs: bigint;
}

/** A row of the contract, its times as exact integers. */
export function sampleOf({ time, latency, ...rest }: Row): Sample {
  return { timeNs: nanoseconds(time), latencyNs: nanoseconds(latency), ...rest };
}

/** A protobuf Timestamp or Duration; unset counts as zero. */
export function nanoseconds(time: { seconds: bigint; nanos: number } | undefined): bigint {
  return time === undefined ? 0n : time.seconds * 1_000_000_000n + BigInt(time.nanos);
}
