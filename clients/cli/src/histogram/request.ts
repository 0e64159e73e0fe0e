import { Collection, StreamHistogramsRequest } from "@latscope/proto";
import type { GroupFlags } from "../spec/group.js";
import type { Duration } from "../spec/parse.js";
import { specFrom, type SpecFlags } from "../spec/spec.js";
import { UsageError } from "../spec/usage.js";
import { sessionName } from "../stream/request.js";

/** The flags of `latscope histogram` that reach the service. */
export interface HistogramFlags extends SpecFlags, GroupFlags {
  session?: string;
  interval?: Duration;
  cumulative?: boolean;
  maxGroups?: number;
}

/** What also makes sense of a session that somebody else made. */
const readerFlags: ReadonlySet<string> = new Set([
  "session",
  "interval",
  "cumulative",
  "maxGroups",
  "groupBy",
  "ungrouped",
  "json",
  "address",
]);

/** So many groups has a session that asks for no number. */
const sessionGroups = 1024;

/** The request that flags ask for. @throws UsageError */
export function requestFrom(flags: HistogramFlags): StreamHistogramsRequest {
  const { session, groupBy = [], maxGroups = 0 } = flags;
  const request = StreamHistogramsRequest.fromPartial({
    interval: flags.interval,
    cumulative: flags.cumulative ?? false,
    maxGroups,
  });
  if (session === undefined) {
    // Without single samples nothing has to leave the kernel but the counts.
    const collection = { ...Collection.fromPartial({}), histogramsOnly: true, groupBy };
    if (maxGroups > sessionGroups) collection.maxGroups = maxGroups;
    request.source = { $case: "spec", value: { ...specFrom(flags), collection } };
  } else {
    const wrong = Object.keys(flags).find((key) => !readerFlags.has(key));
    if (wrong !== undefined)
      throw new UsageError(`${flagName(wrong)} and --session exclude each other: what a session measures is fixed`);
    request.source = { $case: "session", value: sessionName(session) };
    request.groupBy = groupBy;
    request.ungrouped = flags.ungrouped ?? false;
  }
  return request;
}

/** `serverPort` -> `--server-port` */
function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
