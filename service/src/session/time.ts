import type { Duration } from "@latscope/proto/google/protobuf/duration";
import type { Timestamp } from "@latscope/proto/google/protobuf/timestamp";

export function timestamp(milliseconds: number): Timestamp {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((milliseconds - seconds * 1000) * 1_000_000) };
}

export function duration(milliseconds: number): Duration {
  return timestamp(milliseconds);
}

/** In whole milliseconds, rounded up: a timer never fires early. */
export function milliseconds({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1000 + Math.ceil(nanos / 1_000_000);
}
