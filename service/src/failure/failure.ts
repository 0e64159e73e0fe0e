import { reasons, type ServiceReason } from "./reason.js";

/** A gRPC status by its canonical name. */
export type StatusName =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "UNAUTHENTICATED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "DEADLINE_EXCEEDED"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE";

/** One wrong field of the request, by its path (`spec.filters[0].cidrs[1]`). */
export interface FieldViolation {
  field: string;
  description: string;
}

/** Something the host or the service lacks. */
export interface PreconditionViolation {
  type: string;
  subject: string;
  description: string;
}

/** A bound that was reached. */
export interface QuotaViolation {
  subject: string;
  description: string;
}

/** What a call was about. */
export interface Resource {
  type: string;
  name: string;
}

/** What a failure tells beyond its reason and message. */
export interface FailureDetails {
  violations?: readonly FieldViolation[];
  precondition?: readonly PreconditionViolation[];
  quota?: readonly QuotaViolation[];
  resource?: Resource;
  metadata?: Readonly<Record<string, string>>;
  retryAfterMs?: number;
  /** For the service's own log; no client gets it. */
  log?: string;
}

/** A failure that a client sees whole, unless it is INTERNAL: that, and everything else that is thrown, reaches it as an id only. */
export class Failure extends Error {
  override readonly name = "Failure";

  constructor(
    readonly status: StatusName,
    readonly reason: string,
    message: string,
    readonly details: FailureDetails = {},
  ) {
    super(message);
  }

  /** A failure for one of the service's own reasons. */
  static of(reason: ServiceReason, message: string, details: FailureDetails = {}): Failure {
    return new Failure(reasons[reason], reason, message, details);
  }

  /** One wrong field; the message begins with its path. */
  static field(reason: ServiceReason, field: string, description: string): Failure {
    return Failure.of(reason, `${field}: ${description}`, { violations: [{ field, description }] });
  }
}
