import type { Metadata } from "@grpc/grpc-js";
import type { Credential } from "../auth/credential.js";
import type { Principal } from "../auth/principal.js";
import type { Failure } from "../failure/failure.js";

/** Who makes a call, and what becomes of it. */
export interface Caller {
  readonly principal: Principal;
  /** As in Session.owner: the principal's name. */
  readonly owner: string;
  /** Where from: `10.0.0.7:51334`, or `unix`. */
  readonly peer: string;
  /** `/latscope.v1.SessionService/CreateSession` */
  readonly method: string;
  readonly record: CallRecord;
  /** What it proved with who it is. */
  readonly credential: Credential;
  /** Aborted, with the Failure to end the call with, once the caller may no longer make it. */
  readonly revoked: AbortSignal;
  /** Ends the call, if it is a stream. */
  revoke(why: Failure): void;
}

/** Who does something, be it by a call or for a session of theirs that comes back. */
export type Actor = Pick<Caller, "principal" | "owner" | "method" | "record">;

/** What is known of a call when it has ended; whoever finds something out writes it down here. */
export interface CallRecord {
  readonly method: string;
  readonly peer: string;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  /** Whose call; nobody's, when it was not let in. */
  principal?: string;
  /** `sessions/{id}` */
  session?: string;
  decision?: "allowed" | "denied";
  /** The rule that decided. */
  rule?: string;
  /** As in ErrorInfo, of a call that failed. */
  reason?: string;
  /** The gRPC status that it ended with. */
  status?: number;
  durationMs?: number;
}

// grpc-js hands the very metadata that the last interceptor let through to the handler: the one thing that both see of a call.
const callers = new WeakMap<Metadata, Caller>();

/** Notes who makes the call with this metadata, for its handler. */
export function bindCaller(metadata: Metadata, caller: Caller): void {
  callers.set(metadata, caller);
}

/** @param call any call of grpc-js, in its handler */
export function callerOf({ metadata }: { metadata: Metadata }): Caller {
  const caller = callers.get(metadata);
  if (caller === undefined) throw new Error("a call that nobody let in reached its handler");
  return caller;
}
