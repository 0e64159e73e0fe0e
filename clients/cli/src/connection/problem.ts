import { status, type ServiceError } from "@grpc/grpc-js";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from "@latscope/proto/google/rpc/error_details";
import { Status } from "@latscope/proto/google/rpc/status";
import { span } from "../format/duration.js";
import { printable } from "../format/text.js";
import { nanoseconds } from "../format/time.js";
import type { Address } from "./address.js";

/** Whether a thrown value is how a call ended. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}

/**
 * What a person is told of a call that failed, in lines.
 * @param answered whether anything had come from the service by then
 */
export function problemLines(error: ServiceError, address: Address, answered: boolean): string[] {
  const details = detailLines(error);
  // A status with details was written by the service; without, UNAVAILABLE is the transport's word for "no connection".
  if (error.code !== status.UNAVAILABLE || details.length > 0) {
    return [`${status[error.code]}: ${printable(error.details)}`, ...details];
  }
  if (answered) return [`the connection to the service at ${address.target} broke: ${printable(error.details)}`];
  const refused = tlsProblem(error.details, address);
  if (refused !== undefined) return [`cannot talk to the service at ${address.target}: ${refused}`];
  return [
    `cannot reach the service at ${address.target} (${address.source}): ${whyUnreachable(error.details)}`,
    "start it as root with: latscope serve, or say where it is with --address or LATSCOPE_ADDRESS",
  ];
}

/** What is wrong with TLS, or for want of it, and what to do. */
function tlsProblem(details: string, { target }: Address): string | undefined {
  if (target.startsWith("unix:")) return undefined;
  const found = tlsCauses.find(([pattern]) => pattern.test(details));
  return found === undefined ? undefined : `${found[1]} (${printable(details)})`;
}

const tlsCauses: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [
    /self-signed|unable to (verify|get)/i,
    "its certificate is of an authority that is not known here; --tls-ca says which to trust",
  ],
  [/altnames|does not match certificate/i, "its certificate is for another name; use in --address one that it is for"],
  [/certificate has expired/i, "its certificate has expired"],
  [/wrong version number|packet length too long/i, "it does not speak TLS; leave out https:// and the flags for TLS"],
  [
    /ECONNRESET|socket hang up|Protocol error|Failed to connect/i,
    "it may want TLS: --address https://HOST:PORT, and --tls-ca",
  ],
];

const causes: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  ECONNREFUSED: "nobody listens there",
  EACCES: "no permission: the socket is for root and its group",
  ENOTFOUND: "there is no such host",
};

function whyUnreachable(details: string): string {
  const cause = Object.keys(causes).find((code) => details.includes(code));
  return cause === undefined ? printable(details) : (causes[cause] ?? cause);
}

function detailLines(error: ServiceError): string[] {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!(bytes instanceof Buffer)) return [];
  try {
    return Status.decode(bytes).details.flatMap(({ typeUrl, value }) => {
      const lines = readers[typeUrl.slice(typeUrl.lastIndexOf("/") + 1)]?.(value, error.details) ?? [];
      // A verifier's log has lines of its own.
      return lines.flatMap((line) => line.split("\n")).map((line) => `  ${printable(line)}`);
    });
  } catch {
    // Details are a help; a sender that got them wrong still said the status.
    return [];
  }
}

const readers: Readonly<Record<string, (value: Uint8Array, message: string) => string[]>> = {
  "google.rpc.BadRequest": (value, message) =>
    BadRequest.decode(value)
      .fieldViolations.map(({ field, description }) => `${field}: ${description}`)
      .filter((line) => line !== message),
  "google.rpc.ErrorInfo": (value) => {
    const { reason, metadata } = ErrorInfo.decode(value);
    const pairs = Object.entries(metadata).map(([key, text]) => `${key} ${text}`);
    return [`reason ${reason}${pairs.length === 0 ? "" : ` (${pairs.join(", ")})`}`];
  },
  "google.rpc.PreconditionFailure": (value) =>
    PreconditionFailure.decode(value).violations.map(
      ({ type, subject, description }) => `${type} ${subject}: ${description}`,
    ),
  "google.rpc.QuotaFailure": (value) =>
    QuotaFailure.decode(value).violations.map(({ subject, description }) => `quota ${subject}: ${description}`),
  "google.rpc.ResourceInfo": (value, message) => {
    const { resourceType, resourceName, description } = ResourceInfo.decode(value);
    // Most messages name what they are about.
    if (message.includes(resourceName)) return [];
    return [[resourceType, resourceName, description].filter((part) => part !== "").join(" ")];
  },
  "google.rpc.RetryInfo": (value) => [`try again in ${span(nanoseconds(RetryInfo.decode(value).retryDelay))}`],
};
