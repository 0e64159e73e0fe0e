import { z } from "zod";
import { Failure, type FailureDetails } from "./failure.js";

const statusName = z.enum([
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "UNAUTHENTICATED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
]);

/** How the collector's failures cross the addon: JSON in the message of an Error. */
const addonFailure = z.object({
  status: statusName,
  reason: z.string(),
  message: z.string(),
  violations: z.array(z.object({ field: z.string(), description: z.string() })),
  precondition: z.array(z.object({ type: z.string(), subject: z.string(), description: z.string() })),
  quota: z.array(z.object({ subject: z.string(), description: z.string() })),
  metadata: z.record(z.string(), z.string()),
  retryAfterMs: z.number().nullable(),
  log: z.string().nullable(),
});

/** The collector's failure in an error that the addon threw, or undefined when it is something else. */
export function fromAddon(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !error.message.startsWith("{")) return undefined;
  const parsed = addonFailure.safeParse(parseJson(error.message));
  if (!parsed.success) return undefined;
  const { status, reason, message, violations, precondition, quota, metadata, retryAfterMs, log } = parsed.data;
  const details: FailureDetails = { violations, precondition, quota, metadata };
  if (retryAfterMs !== null) details.retryAfterMs = retryAfterMs;
  if (log !== null) details.log = log;
  return new Failure(status, reason, message, details);
}

/** For requests in which the spec is deeper: `spec.probes[0]` in the addon's failures becomes `session.spec.probes[0]`. */
export async function inSession<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const failure = fromAddon(error);
    throw failure === undefined ? error : withFieldPrefix(failure, "session.");
  }
}

function withFieldPrefix(failure: Failure, prefix: string): Failure {
  const { violations = [] } = failure.details;
  const first = violations[0];
  const namesField = first !== undefined && failure.message.startsWith(first.field);
  return new Failure(failure.status, failure.reason, namesField ? prefix + failure.message : failure.message, {
    ...failure.details,
    violations: violations.map(({ field, description }) => ({ field: prefix + field, description })),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
