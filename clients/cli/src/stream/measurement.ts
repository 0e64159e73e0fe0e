import type { Flow, Metric, Process } from "@latscope/proto";

/** One sample, whichever encoding brought it. */
export interface Measurement {
  /** When the end event happened, nanoseconds since 1970. */
  timeNs: bigint;
  latencyNs: bigint;
  metric: Metric;
  /** Numbers of the contract's Quality, also such as this client has no name for. */
  quality: readonly number[];
  flow: Flow | undefined;
  process: Process | undefined;
  subject: string;
  result: bigint;
  /** How many samples this one stands for; 0 and 1 both mean one. */
  weight: number;
  probe: number;
  retries: number;
}
