import { Metadata, status as codes, type ServiceError } from "@grpc/grpc-js";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from "@latscope/proto/google/rpc/error_details";
import { Status } from "@latscope/proto/google/rpc/status";
import type { Failure } from "./failure.js";

/** Identifies this service in ErrorInfo. */
export const errorDomain = "latscope";

// The status travels in HTTP/2 trailers, base64. Clients on gRPC's C core refuse metadata beyond 8 KiB.
const maxDetailBytes = 5 * 1024;
const maxMessageLength = 1000;
const maxDescriptionLength = 500;
// Bytes of one of JavaScript's characters.
const maxUtf8 = 3;

/** The failure as grpc-js sends it: status, message and google.rpc details. */
export function toStatus(failure: Failure): Pick<ServiceError, "code" | "details" | "metadata"> {
  const code = codes[failure.status];
  const details = shorten(failure.message.toWellFormed(), maxMessageLength);
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", encodeStatus(code, details, failure));
  return { code, details, metadata };
}

function encodeStatus(code: number, message: string, failure: Failure): Buffer {
  const details: { typeUrl: string; value: Buffer }[] = [];
  let room = maxDetailBytes - message.length;
  const add = (type: string, value: Uint8Array): void => {
    if (value.length > room) return;
    room -= value.length;
    details.push({ typeUrl: `type.googleapis.com/google.rpc.${type}`, value: Buffer.from(value) });
  };
  const { violations = [], precondition = [], quota = [], resource, metadata = {}, retryAfterMs } = failure.details;

  add("ErrorInfo", errorInfo(failure.reason, metadata, room));
  if (resource !== undefined) {
    const info = { resourceType: resource.type, resourceName: resource.name };
    add("ResourceInfo", ResourceInfo.encode(ResourceInfo.fromPartial(info)).finish());
  }
  if (retryAfterMs !== undefined) {
    const retryDelay = { seconds: BigInt(Math.floor(retryAfterMs / 1000)), nanos: (retryAfterMs % 1000) * 1_000_000 };
    add("RetryInfo", RetryInfo.encode({ retryDelay }).finish());
  }
  if (precondition.length > 0) {
    add(
      "PreconditionFailure",
      fitting(precondition, room, (part) => PreconditionFailure.encode({ violations: part }).finish()),
    );
  }
  if (quota.length > 0) {
    add(
      "QuotaFailure",
      fitting(quota, room, (part) => QuotaFailure.encode(QuotaFailure.fromPartial({ violations: part })).finish()),
    );
  }
  if (violations.length > 0) {
    add(
      "BadRequest",
      fitting(violations, room, (part) =>
        BadRequest.encode(BadRequest.fromPartial({ fieldViolations: part })).finish(),
      ),
    );
  }
  return Buffer.from(Status.encode({ code, message, details }).finish());
}

/** Never left out: where there is no room for all that its metadata says, each value is cut short. */
function errorInfo(reason: string, metadata: Readonly<Record<string, string>>, room: number): Uint8Array {
  const encode = (most: number): Uint8Array => {
    const pairs = Object.entries(metadata).map(([key, value]) => [key, shorten(value.toWellFormed(), most)] as const);
    return ErrorInfo.encode({ reason, domain: errorDomain, metadata: Object.fromEntries(pairs) }).finish();
  };
  const whole = encode(room);
  return whole.length <= room ? whole : encode(Math.floor(room / (Object.keys(metadata).length + 1) / maxUtf8));
}

/** Encodes as many of the items, from the first on, as `room` bytes hold. */
function fitting<T extends { description: string }>(
  items: readonly T[],
  room: number,
  encode: (part: T[]) => Uint8Array,
): Uint8Array {
  const short = items.map((item) => ({
    ...item,
    description: shorten(item.description.toWellFormed(), maxDescriptionLength),
  }));
  let count = short.length;
  let bytes = encode(short);
  while (bytes.length > room && count > 1) {
    count = Math.max(1, Math.floor((count * room) / bytes.length));
    bytes = encode(short.slice(0, count));
  }
  return bytes;
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`;
}
