import type { Duration } from "@latscope/proto/google/protobuf/duration";
import { Failure } from "../failure/failure.js";
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

/** @throws Failure DURATION_INVALID for one that is negative or malformed */
export function checkDuration(duration: Duration | undefined, field: string): void {
  if (duration === undefined) return;
  const { seconds, nanos } = duration;
  if (seconds < 0n || nanos < 0) throw Failure.field("DURATION_INVALID", field, "must not be negative");
  if (nanos > 999_999_999) throw Failure.field("DURATION_INVALID", field, "is malformed: nanos are at most 999999999");
}
