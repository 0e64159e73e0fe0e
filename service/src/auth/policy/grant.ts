import type { Probe, SessionSpec } from "@latscope/proto";
import { realpath } from "node:fs/promises";
import type { Authority } from "./authority.js";
import { refuseForbidden } from "./denial.js";
import { scopeOf, type Scope } from "./scope.js";
import { forbiddenOf } from "./targets.js";

/** What somebody gets of a session that was asked for. */
export interface Grant {
  /** As asked for, with the paths that links lead to. */
  readonly spec: SessionSpec;
  /** What the collector narrows it to. */
  readonly scope: Scope;
}

/**
 * Whether somebody may have a session of their own.
 *
 * @param at where the request holds the spec
 * @throws Failure TARGET_DENIED naming everything that the spec names and must not
 */
export async function grantOf(spec: SessionSpec, authority: Authority, owner: string, at: string): Promise<Grant> {
  const real =
    authority.targets.binaries === "all" ? spec : { ...spec, probes: await Promise.all(spec.probes.map(withRealPath)) };
  refuseForbidden(forbiddenOf(real, authority.targets), at, authority);
  return { spec: real, scope: scopeOf(authority, owner, real) };
}

/** A link inside an allowed folder may lead out of it: what it leads to is what counts, and what is measured. */
async function withRealPath(probe: Probe): Promise<Probe> {
  if (probe.kind?.$case !== "userFunction") return probe;
  const { value } = probe.kind;
  if (!value.binary.startsWith("/") || value.pid !== 0) return probe;
  // What is not there is refused by the collector, or by its name.
  const binary = await realpath(value.binary).catch(() => value.binary);
  return { ...probe, kind: { $case: "userFunction", value: { ...value, binary } } };
}
