import type { ServiceError } from "@grpc/grpc-js";
import {
  Filter,
  Position,
  SessionSpec,
  StreamSamplesRequest,
  type End,
  type Filter as FilterMessage,
  type Loss,
  type SessionSpec as SpecMessage,
} from "@latscope/proto";
import type { Input } from "./input.js";

/** How long a session of the stream's own waits for it to come back after a break, in seconds. */
const LINGER_SECONDS = 60n;

/** What to read, and whom to tell what. */
export type SampleOptions = Source & {
  /** Ends the iteration, which then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** After so many samples the iteration is done; default: no limit. */
  readonly maxSamples?: number | bigint;
  /** Done at the end of what was measured so far, instead of waiting for more. */
  readonly noFollow?: boolean;
  /** Narrow what the server sends, on top of the session's own filters; OR between clauses. */
  readonly filters?: readonly Input<FilterMessage>[];
  /** Wins over `filters`. */
  readonly exclude?: readonly Input<FilterMessage>[];
  /** Samples that existed and did not arrive. Nothing is lost without a call of this. */
  readonly onLoss?: (loss: Loss) => void;
  /** The connection broke, and will be made again in `delayMs`; nothing is lost by that as long as the session's history reaches back. */
  readonly onReconnect?: (cause: ServiceError | undefined, delayMs: number) => void;
  /** Why there is no more, with the books of this stream (since the last reconnect) and of the session. */
  readonly onEnd?: (end: End) => void;
};

/** A session that exists, or a spec for one that ends with the iteration. */
type Source =
  | {
      /** "sessions/{id}" */
      readonly session: string;
      /** Default: what comes from now on; with `noFollow`, from the oldest. */
      readonly from?: "oldest" | "latest";
      readonly spec?: never;
    }
  | {
      readonly spec: Input<SpecMessage>;
      readonly session?: never;
      readonly from?: never;
    };

const positions = { oldest: Position.OLDEST, latest: Position.LATEST } as const;

/** The request that opens the stream for the first time. */
export function requestOf(options: SampleOptions): StreamSamplesRequest {
  const request = StreamSamplesRequest.fromPartial({
    maxSamples: BigInt(options.maxSamples ?? 0),
    noFollow: options.noFollow ?? false,
  });
  request.filters = (options.filters ?? []).map((filter) => Filter.fromJSON(filter));
  request.exclude = (options.exclude ?? []).map((filter) => Filter.fromJSON(filter));
  if (options.spec === undefined) {
    request.source = { $case: "session", value: options.session };
    if (options.from !== undefined) request.start = { $case: "position", value: positions[options.from] };
  } else {
    request.source = { $case: "spec", value: SessionSpec.fromJSON(options.spec) };
    request.linger = { seconds: LINGER_SECONDS, nanos: 0 };
  }
  return request;
}
