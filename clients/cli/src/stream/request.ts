import { Encoding, Position, StreamSamplesRequest } from "@latscope/proto";
import type { LatencyFlag } from "../spec/filter.js";
import { readerFiltersFrom, specFrom, type SpecFlags } from "../spec/spec.js";
import { UsageError } from "../spec/usage.js";

/** The flags of `latscope stream` that reach the service. */
export interface StreamFlags extends SpecFlags, LatencyFlag {
  session?: string;
  limit?: bigint;
  from?: "oldest" | "latest";
  cursor?: string;
  encoding?: "rows" | "columns";
}

const specOnly = [
  ["tcp", "--tcp"],
  ["udp", "--udp"],
  ["dns", "--dns"],
  ["icmp", "--icmp"],
  ["quic", "--quic"],
  ["socket", "--socket"],
  ["syscall", "--syscall"],
  ["runQueue", "--run-queue"],
  ["offCpu", "--off-cpu"],
  ["blockIo", "--block-io"],
  ["softirq", "--softirq"],
  ["netStack", "--net-stack"],
  ["kernelFunction", "--kernel-function"],
  ["userFunction", "--user-function"],
  ["usdt", "--usdt"],
  ["tracepointPair", "--tracepoint-pair"],
  ["cpuStall", "--cpu-stall"],
  ["interface", "--interface"],
] as const satisfies readonly (readonly [keyof SpecFlags, string])[];

/** The request that flags ask for. @throws UsageError */
export function requestFrom(flags: StreamFlags): StreamSamplesRequest {
  const request = StreamSamplesRequest.fromPartial({
    maxSamples: flags.limit ?? 0n,
    encoding: flags.encoding === "columns" ? Encoding.COLUMNS : Encoding.ROWS,
  });
  if (flags.cursor !== undefined && flags.from !== undefined)
    throw new UsageError("--cursor and --from exclude each other");
  if (flags.cursor !== undefined) request.start = { $case: "cursor", value: flags.cursor };
  if (flags.from !== undefined) {
    request.start = { $case: "position", value: flags.from === "oldest" ? Position.OLDEST : Position.LATEST };
  }
  if (flags.session === undefined) {
    if (flags.cursor !== undefined)
      throw new UsageError("--cursor needs --session: it points into a session that is there");
    request.source = { $case: "spec", value: specFrom(flags) };
  } else {
    const wrong = specOnly.find(([key]) => flags[key] !== undefined);
    if (wrong !== undefined)
      throw new UsageError(`${wrong[1]} and --session exclude each other: what a session measures is fixed`);
    request.source = { $case: "session", value: sessionName(flags.session) };
    request.filters = readerFiltersFrom(flags);
  }
  return request;
}

/** `edge` -> `sessions/edge` */
export function sessionName(text: string): string {
  return text.startsWith("sessions/") ? text : `sessions/${text}`;
}
