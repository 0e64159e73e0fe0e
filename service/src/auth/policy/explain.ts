import type { SessionSpec } from "@latscope/proto";
import { Failure, type FieldViolation } from "../../failure/failure.js";
import { notFound } from "../../session/not-found.js";
import type { Principal } from "../principal.js";
import type { Authority, Policy } from "./authority.js";
import { grantOf } from "./grant.js";
import { Policies } from "./policies.js";
import { scopeOf, type Scope } from "./scope.js";
import { maySee, refuseChange, type SessionFacts } from "./session.js";

/** A call that somebody might make. */
export interface Question {
  readonly policy: Policy;
  readonly principal: Principal;
  /** `/latscope.v1.SessionService/CreateSession` */
  readonly method: string;
  /** What a session of one's own is to measure. */
  readonly spec: SessionSpec | undefined;
  /** The session that the call is about. */
  readonly session: (SessionFacts & { name: string }) | undefined;
}

/** What would become of it. */
export interface Explanation {
  readonly allowed: boolean;
  /** As in ErrorInfo, of a call that would fail. */
  readonly reason?: string;
  /** Why not, for a person. */
  readonly message?: string;
  readonly violations: readonly FieldViolation[];
  /** Undefined for whom no rule names. */
  readonly authority?: Authority;
  /** What would be left of what is measured; undefined where nothing is. */
  readonly scope?: Scope;
}

const changing = /\/(Update|Stop|Delete)Session$/;

/** Decides as the service does, without one. */
export async function explain(question: Question): Promise<Explanation> {
  const { policy, principal } = question;
  const authority = policy.authorityOf(principal);
  const known = authority === undefined ? {} : { authority };
  try {
    const scope = await decide(question);
    return { allowed: true, violations: [], ...known, ...(scope === undefined ? {} : { scope }) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { reason, message, details } = error;
    return { allowed: false, reason, message, violations: details.violations ?? [], ...known };
  }
}

async function decide({ policy, principal, method, spec, session }: Question): Promise<Scope | undefined> {
  const policies = new Policies({ current: policy, subscribe: () => undefined });
  const record = { method, peer: "", startedAt: 0 };
  const caller = { principal, method, record };
  policies.admit(caller);
  if (spec !== undefined) {
    const authority = policies.require("operator", caller, "a session of one's own");
    return (await grantOf(spec, authority, principal.name, "spec")).scope;
  }
  if (session === undefined) return undefined;
  const authority = policies.authorityOf(caller);
  if (!maySee(authority, principal.name, session)) throw notFound(session.name);
  if (changing.test(method)) refuseChange(authority, principal.name, session);
  return scopeOf(authority, principal.name, session.measures);
}
