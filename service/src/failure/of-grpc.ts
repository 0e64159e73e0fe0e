import { status as codes, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { Failure } from "./failure.js";
import type { ServiceReason } from "./reason.js";
import { toStatus } from "./to-status.js";

type SendStatus = ServerInterceptingCallInterface["sendStatus"];
/** What a call ends with. */
export type CallStatus = Parameters<SendStatus>[0];

// INTERNAL is what grpc-js has for bytes that cannot be taken apart: a message, its compression, a deadline.
const reasons = new Map<number, ServiceReason>([
  [codes.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE"],
  [codes.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"],
  [codes.UNIMPLEMENTED, "ENCODING_UNKNOWN"],
  [codes.INTERNAL, "MESSAGE_MALFORMED"],
]);

/** The status of a call, also of one that grpc-js ended by itself: then with the reason that it stands for. */
export function withReason(status: CallStatus): CallStatus {
  const reason = reasons.get(status.code);
  if (reason === undefined || (status.metadata?.get("grpc-status-details-bin").length ?? 0) > 0) return status;
  return toStatus(Failure.of(reason, status.details));
}
