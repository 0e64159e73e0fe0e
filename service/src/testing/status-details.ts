import type { ServiceError } from "@grpc/grpc-js";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from "@latscope/proto/google/rpc/error_details";
import { Status } from "@latscope/proto/google/rpc/status";

interface Details {
  BadRequest?: BadRequest;
  ErrorInfo?: ErrorInfo;
  PreconditionFailure?: PreconditionFailure;
  QuotaFailure?: QuotaFailure;
  ResourceInfo?: ResourceInfo;
  RetryInfo?: RetryInfo;
}

const decoders: { [Name in keyof Required<Details>]: { decode(bytes: Uint8Array): Required<Details>[Name] } } = {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
};

/** The google.rpc details of a failed call, by the name of their type. */
export function detailsOf(error: Pick<ServiceError, "metadata">): Details {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(bytes)) return {};
  const entries = Status.decode(bytes).details.map(({ typeUrl, value }) => {
    const name = typeUrl.replace("type.googleapis.com/google.rpc.", "") as keyof Details;
    return [name, decoders[name].decode(value)];
  });
  return Object.fromEntries(entries) as Details;
}

/** What a test compares of a failed call. */
export function summaryOf(error: unknown): { code: number; reason: string | undefined; fields: string[] } {
  const failed = error as ServiceError;
  const details = detailsOf(failed);
  return {
    code: failed.code,
    reason: details.ErrorInfo?.reason,
    fields: details.BadRequest?.fieldViolations.map(({ field }) => field) ?? [],
  };
}
