import { randomUUID } from "node:crypto";
import type { ServiceError } from "@grpc/grpc-js";
import type { Logger } from "../log/logger.js";
import { Failure } from "./failure.js";
import { fromAddon } from "./from-addon.js";
import { toStatus } from "./to-status.js";

/** A call that failed: which it was, and where to note why, and whether somebody was not allowed it. */
export interface FailedCall {
  readonly method: string;
  reason?: string;
  decision?: "allowed" | "denied";
}

/** What a client is told of anything that was thrown; the log gets the rest, the call the reason. */
export function answerTo(error: unknown, call: FailedCall, log: Logger): ServiceError {
  const { method } = call;
  const known = toFailure(error);
  // A fault of latscope itself is for the log, with whatever it tells of the host.
  const failure = known === undefined || known.status === "INTERNAL" ? unknownFailure(error, method, log) : known;
  call.reason = failure.reason;
  if (failure.status === "PERMISSION_DENIED") call.decision = "denied";
  const { log: more } = failure.details;
  if (more !== undefined) log.warn({ method, reason: failure.reason, more }, failure.message);
  log.debug({ method, status: failure.status, reason: failure.reason, detail: failure.message }, "call failed");
  return Object.assign(new Error(failure.message), toStatus(failure));
}

/** The failure that a thrown value stands for, if any. */
export function toFailure(error: unknown): Failure | undefined {
  return error instanceof Failure ? error : fromAddon(error);
}

function unknownFailure(error: unknown, method: string, log: Logger): Failure {
  const id = randomUUID();
  log.error({ err: error, method, id }, "internal error");
  return Failure.of("INTERNAL", `internal error ${id}; the service's log has more under this id`, { metadata: { id } });
}
