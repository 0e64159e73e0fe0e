import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from "@latscope/proto/google/rpc/error_details";
import { Status } from "@latscope/proto/google/rpc/status";
import { expect, test } from "vitest";
import { isServiceError, problemLines } from "./problem.js";

const address = { target: "unix:/run/x.sock", source: "--address" };

function failure(
  code: status,
  details: string,
  parts: readonly [type: string, bytes: Uint8Array][] = [],
): ServiceError {
  const metadata = new Metadata();
  if (parts.length > 0) {
    const details = parts.map(([type, value]) => ({
      typeUrl: `type.googleapis.com/google.rpc.${type}`,
      value: Buffer.from(value),
    }));
    metadata.set("grpc-status-details-bin", Buffer.from(Status.encode({ code, message: "", details }).finish()));
  }
  return Object.assign(new Error(details), { code, details, metadata });
}

test.each([
  ["No connection established. Last error: Error: connect ENOENT /run/x.sock", "there is no such socket"],
  ["No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1", "nobody listens there"],
  ["connect EACCES /run/x.sock", "no permission: the socket is for root and its group"],
  ["Name resolution failed for target dns:h: ENOTFOUND", "there is no such host"],
  ["something \x1b[1m else", "something \\x1b[1m else"],
])("nobody there: %j", (details, why) => {
  expect(problemLines(failure(status.UNAVAILABLE, details), address, false)).toEqual([
    `cannot reach the service at unix:/run/x.sock (--address): ${why}`,
    "start it as root with: latscope serve, or say where it is with --address or LATSCOPE_ADDRESS",
  ]);
});

test("a connection that broke", () => {
  expect(problemLines(failure(status.UNAVAILABLE, "Connection dropped"), address, true)).toEqual([
    "the connection to the service at unix:/run/x.sock broke: Connection dropped",
  ]);
});

test("what the service says in its own words, violations beyond the message, and its reason", () => {
  const message = 'spec.filters[0].cidrs[1]: "10.0.0.0/99" is not a CIDR';
  const violations = BadRequest.fromPartial({
    fieldViolations: [
      { field: "spec.filters[0].cidrs[1]", description: '"10.0.0.0/99" is not a CIDR' },
      { field: "spec.interfaces[0]", description: "there is no interface\n\x07" },
    ],
  });
  const info = ErrorInfo.fromPartial({ reason: "CIDR_INVALID", domain: "latscope" });
  const error = failure(status.INVALID_ARGUMENT, message, [
    ["ErrorInfo", ErrorInfo.encode(info).finish()],
    ["BadRequest", BadRequest.encode(violations).finish()],
  ]);
  expect(problemLines(error, address, true)).toEqual([
    `INVALID_ARGUMENT: ${message}`,
    "  reason CIDR_INVALID",
    "  spec.interfaces[0]: there is no interface",
    "  \\x07",
  ]);
});

test("capabilities, quotas, retries; an UNAVAILABLE that the service itself said", () => {
  const info = ErrorInfo.fromPartial({ reason: "DRAINING", metadata: { metric: "METRIC_TCP_RTT", kernel: "6.18" } });
  const lacking = PreconditionFailure.fromPartial({
    violations: [{ type: "CAPABILITY", subject: "kprobe", description: "use another" }],
  });
  const quota = QuotaFailure.fromPartial({ violations: [{ subject: "sessions", description: "64 at once" }] });
  const retry = RetryInfo.fromPartial({ retryDelay: { seconds: 1n, nanos: 500_000_000 } });
  const error = failure(status.UNAVAILABLE, "the service is stopping", [
    ["ErrorInfo", ErrorInfo.encode(info).finish()],
    ["PreconditionFailure", PreconditionFailure.encode(lacking).finish()],
    ["QuotaFailure", QuotaFailure.encode(quota).finish()],
    ["RetryInfo", RetryInfo.encode(retry).finish()],
    ["Help", new Uint8Array()],
  ]);
  expect(problemLines(error, address, false)).toEqual([
    "UNAVAILABLE: the service is stopping",
    "  reason DRAINING (metric METRIC_TCP_RTT, kernel 6.18)",
    "  CAPABILITY kprobe: use another",
    "  quota sessions: 64 at once",
    "  try again in 1.50 s",
  ]);
});

test("what a call was about, unless the message says it", () => {
  const resource = ResourceInfo.fromPartial({ resourceType: "latscope.v1.Session", resourceName: "sessions/a" });
  const details: [string, Uint8Array][] = [["ResourceInfo", ResourceInfo.encode(resource).finish()]];
  expect(problemLines(failure(status.NOT_FOUND, "sessions/a does not exist", details), address, true)).toEqual([
    "NOT_FOUND: sessions/a does not exist",
  ]);
  expect(problemLines(failure(status.NOT_FOUND, "no such session", details), address, true)).toEqual([
    "NOT_FOUND: no such session",
    "  latscope.v1.Session sessions/a",
  ]);
});

test("details that are no details", () => {
  const error = failure(status.INTERNAL, "internal error 7");
  error.metadata.set("grpc-status-details-bin", Buffer.from([0xff]));
  expect(problemLines(error, address, true)).toEqual(["INTERNAL: internal error 7"]);
});

test("only a call's end is a service error", () => {
  expect(isServiceError(failure(status.CANCELLED, "x"))).toBe(true);
  expect(isServiceError(new TypeError("x"))).toBe(false);
  expect(isServiceError(undefined)).toBe(false);
});
