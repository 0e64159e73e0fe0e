import { Failure } from "../../failure/failure.js";
import type { Authority } from "./authority.js";

/** A part of a request that is not allowed, by its path. */
export interface Forbidden {
  readonly field: string;
  readonly description: string;
}

/** What a refusal says of who decided: the rule and the role that it gives. */
export function decidedBy({ rule, role }: Authority): { rule: string; role: string } {
  return { rule, role };
}

/** @param at what the paths begin with @throws Failure TARGET_DENIED naming every part, if there is any */
export function refuseForbidden(forbidden: readonly Forbidden[], at: string, authority: Authority): void {
  const violations = forbidden.map(({ field, description }) => ({ field: `${at}.${field}`, description }));
  const [first] = violations;
  if (first === undefined) return;
  const message = `${first.field}: ${first.description} (rule ${JSON.stringify(authority.rule)})`;
  throw Failure.of("TARGET_DENIED", message, { violations, metadata: decidedBy(authority) });
}
