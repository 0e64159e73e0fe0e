import type { SessionSpec } from "@latscope/proto";
import { Failure } from "../../failure/failure.js";
import type { Authority } from "./authority.js";
import { decidedBy } from "./denial.js";
import { yieldsOf } from "./metric.js";
import { reaches } from "./role.js";
import { clausesOf } from "./targets.js";

/** A session, as far as decisions go. */
export interface SessionFacts {
  readonly owner: string;
  /** What it measures; of one that has started, the effective spec. */
  readonly measures: SessionSpec;
}

/** Sessions that a file declares: the file is where to change them. */
const ofFiles = "file:";

/** Whether somebody may know of a session: its owner, an admin, and who may read some of what it measures. */
export function maySee(authority: Authority, owner: string, session: SessionFacts): boolean {
  return session.owner === owner || reaches(authority.role, "admin") || mayReadSome(authority, session);
}

/**
 * Whether somebody who knows of a session may change it; which role that takes is decided before.
 *
 * @throws Failure NOT_OWNER, OWNED_BY_FILE when not
 */
export function refuseChange(authority: Authority, owner: string, session: { name: string; owner: string }): void {
  const { name } = session;
  const details = { resource: { type: "latscope.v1.Session", name }, metadata: decidedBy(authority) };
  if (session.owner.startsWith(ofFiles)) {
    throw Failure.of("OWNED_BY_FILE", `${name} is what a file of the service says; change the file`, details);
  }
  if (session.owner === owner || reaches(authority.role, "admin")) return;
  const whose = session.owner || "plaintext callers";
  throw Failure.of("NOT_OWNER", `${name} is of ${whose}, and to change it takes the role admin`, details);
}

function mayReadSome({ targets }: Authority, { measures }: SessionFacts): boolean {
  const clauses = clausesOf(targets, measures);
  if (clauses === undefined) return true;
  const measured = measures.probes.flatMap(yieldsOf).map(({ metric }) => metric);
  return clauses.some(({ metrics }) => metrics.some((metric) => measured.includes(metric)));
}
