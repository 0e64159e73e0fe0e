import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { detailsOf } from "../testing/status-details.js";
import { Failure } from "./failure.js";
import { toStatus } from "./to-status.js";

describe("toStatus", () => {
  it("always carries reason and domain", () => {
    const { code, details, metadata } = toStatus(Failure.of("DRAINING", "the service is stopping"));
    expect(code).toBe(status.UNAVAILABLE);
    expect(details).toBe("the service is stopping");
    expect(detailsOf({ metadata })).toEqual({ ErrorInfo: { reason: "DRAINING", domain: "latscope", metadata: {} } });
  });

  it("carries every kind of detail", () => {
    const failure = new Failure("RESOURCE_EXHAUSTED", "CAPACITY_EXHAUSTED", "full", {
      violations: [{ field: "spec.probes[0]", description: "too much" }],
      precondition: [{ type: "KERNEL", subject: "btf", description: "none" }],
      quota: [{ subject: "sessions", description: "64" }],
      resource: { type: "latscope.v1.Session", name: "sessions/a" },
      metadata: { node: "nodes/a" },
      retryAfterMs: 1500,
    });
    expect(detailsOf(toStatus(failure))).toEqual({
      ErrorInfo: { reason: "CAPACITY_EXHAUSTED", domain: "latscope", metadata: { node: "nodes/a" } },
      BadRequest: { fieldViolations: [expect.objectContaining({ field: "spec.probes[0]", description: "too much" })] },
      PreconditionFailure: { violations: [{ type: "KERNEL", subject: "btf", description: "none" }] },
      QuotaFailure: { violations: [expect.objectContaining({ subject: "sessions", description: "64" })] },
      ResourceInfo: expect.objectContaining({
        resourceType: "latscope.v1.Session",
        resourceName: "sessions/a",
      }) as unknown,
      RetryInfo: { retryDelay: { seconds: 1n, nanos: 500_000_000 } },
    });
  });

  it("fits the trailers that clients accept, however much is wrong", () => {
    const violations = Array.from({ length: 500 }, (_, index) => ({
      field: `spec.filters[${index}].cidrs[0]`,
      description: "x".repeat(10_000),
    }));
    const result = toStatus(new Failure("INVALID_ARGUMENT", "CIDR_INVALID", "y".repeat(100_000), { violations }));
    const [bytes] = result.metadata.get("grpc-status-details-bin");
    expect(bytes?.length).toBeLessThan(6 * 1024);
    expect(result.details).toHaveLength(1000);
    const told = detailsOf(result).BadRequest?.fieldViolations ?? [];
    expect(told[0]?.field).toBe("spec.filters[0].cidrs[0]");
    expect(told.length).toBeGreaterThan(1);
  });

  it("never leaves the reason out, however much its metadata says", () => {
    const metadata = { program: "latscope_in", verifier_log_tail: "ü".repeat(100_000) };
    const result = toStatus(new Failure("FAILED_PRECONDITION", "PROGRAM_REFUSED", "y".repeat(2000), { metadata }));
    const { ErrorInfo } = detailsOf(result);
    expect(ErrorInfo).toMatchObject({ reason: "PROGRAM_REFUSED", metadata: { program: "latscope_in" } });
    expect(ErrorInfo?.metadata["verifier_log_tail"]).toMatch(/^ü{200,}…$/);
  });

  it("survives text that is no well-formed Unicode", () => {
    expect(toStatus(Failure.of("FIELD_INVALID", "\ud800")).details).toBe("\ufffd");
  });
});
