import { status, type ServiceError } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo, PreconditionFailure, QuotaFailure } from "@latscope/proto/google/rpc/error_details";
import { Status } from "@latscope/proto/google/rpc/status";

/** A failure as a client sees it. */
export interface SeenFailure {
  /** "INVALID_ARGUMENT" and the like. */
  readonly code: string;
  readonly message: string;
  /** ErrorInfo: the stable reason. */
  readonly reason: string;
  readonly domain: string;
  /** ErrorInfo: what else a program may want to know. */
  readonly metadata: Readonly<Record<string, string>>;
  /** BadRequest: the paths of the wrong fields. */
  readonly fields: readonly string[];
  /** PreconditionFailure: what is missing. */
  readonly subjects: readonly string[];
  /** QuotaFailure: what is used up. */
  readonly quotas: readonly string[];
}

/** Reads the code and the google.rpc details out of what a call rejected with. */
export function seen(error: ServiceError): SeenFailure {
  const packed = error.metadata.get("grpc-status-details-bin")[0];
  const details = Buffer.isBuffer(packed) ? Status.decode(packed).details : [];
  const find = <Message>(name: string, type: { decode(bytes: Uint8Array): Message }): Message | undefined => {
    const any = details.find((detail) => detail.typeUrl === `type.googleapis.com/google.rpc.${name}`);
    return any === undefined ? undefined : type.decode(any.value);
  };
  const info = find("ErrorInfo", ErrorInfo);
  return {
    code: status[error.code],
    message: error.details,
    reason: info?.reason ?? "",
    domain: info?.domain ?? "",
    metadata: info?.metadata ?? {},
    fields: (find("BadRequest", BadRequest)?.fieldViolations ?? []).map(({ field }) => field),
    subjects: (find("PreconditionFailure", PreconditionFailure)?.violations ?? []).map(({ subject }) => subject),
    quotas: (find("QuotaFailure", QuotaFailure)?.violations ?? []).map(({ subject }) => subject),
  };
}

/** The failure of a promise that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<SeenFailure> {
  return call.then(
    () => {
      throw new Error("the call succeeded");
    },
    (error: unknown) => seen(error as ServiceError),
  );
}
