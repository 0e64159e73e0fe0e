import { SessionSpec } from "@latscope/proto";
import { encodeScope } from "../addon/scope.js";
import type { Grant } from "../auth/policy/grant.js";
import { Failure } from "../failure/failure.js";
import type { ClientFields } from "./etag.js";
import type { SessionRecord } from "./record.js";
import type { Sessions } from "./sessions.js";

/**
 * Gives a session other fields, without a gap in what it measures. Its lock is held by the caller, who has checked names and labels.
 *
 * @param grantOf what its owner gets of the new spec; undefined = the spec does not change
 * @throws Failure SESSION_STOPPED, HISTORY_LIMIT, and those of the grant and of the collector
 */
export async function turnKnobs(
  sessions: Sessions,
  record: SessionRecord,
  next: ClientFields,
  grantOf?: (spec: SessionSpec) => Promise<Grant>,
): Promise<void> {
  if (grantOf !== undefined) {
    if (!record.running || record.handle === undefined) throw stopped(record.name);
    sessions.checkHistory(next.spec, record);
    const { spec, scope } = await grantOf(next.spec);
    const bytes = Buffer.from(SessionSpec.encode(spec).finish());
    record.takeEffective(await record.handle.update(bytes, encodeScope(scope)), next.spec);
  }
  record.displayName = next.displayName;
  record.labels = next.labels;
  record.spec = next.spec;
  sessions.armDuration(record);
  sessions.armIdle(record);
  sessions.feed.changed(record);
}

function stopped(name: string): Failure {
  const description = "it has stopped; only display_name and labels can still change";
  return Failure.of("SESSION_STOPPED", `${name}: ${description}`, {
    precondition: [{ type: "STATE", subject: name, description }],
  });
}
