import { expect, it, vi } from "vitest";
import type { Logger } from "../log/logger.js";
import { detailsOf } from "../testing/status-details.js";
import { answerTo, type FailedCall } from "./answer.js";
import { Failure } from "./failure.js";

it("keeps the verifier's whole log for the service's own, and tells the client its tail", () => {
  const failure = {
    status: "FAILED_PRECONDITION",
    reason: "PROGRAM_REFUSED",
    message: "the kernel refused program a",
    violations: [],
    precondition: [],
    quota: [],
    metadata: { verifier_log_tail: "R5 !read_ok" },
    retryAfterMs: null,
    log: "0: (bf) r0 = r5\nR5 !read_ok",
  };
  const log = { debug: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const call: FailedCall = { method: "/a/B" };
  const answer = answerTo(new Error(JSON.stringify(failure)), call, log as unknown as Logger);
  expect(call.reason).toBe("PROGRAM_REFUSED");
  expect(detailsOf(answer).ErrorInfo?.metadata).toEqual({ verifier_log_tail: "R5 !read_ok" });
  expect(JSON.stringify([answer.message, answer.metadata.toJSON()])).not.toContain("(bf)");
  expect(log.warn).toHaveBeenCalledWith(
    { method: "/a/B", reason: "PROGRAM_REFUSED", more: failure.log },
    "the kernel refused program a",
  );
});

it("notes that somebody was not allowed a call", () => {
  const log = { debug: vi.fn(), warn: vi.fn(), error: vi.fn() } as unknown as Logger;
  const call: FailedCall = { method: "/a/B", decision: "allowed" };
  answerTo(Failure.of("SESSION_NOT_FOUND", "a does not exist"), call, log);
  expect(call).toMatchObject({ reason: "SESSION_NOT_FOUND", decision: "allowed" });
  answerTo(Failure.of("NOT_OWNER", "a is of b"), call, log);
  expect(call).toMatchObject({ reason: "NOT_OWNER", decision: "denied" });
});
