import { SessionSpec, type UpdateSessionRequest, type UpdateSessionResponse } from "@latscope/proto";
import { encodeScope } from "../addon/scope.js";
import { grantOf } from "../auth/policy/grant.js";
import { Failure } from "../failure/failure.js";
import { inSession } from "../failure/from-addon.js";
import type { Caller } from "../rpc/caller.js";
import type { SessionContext } from "./context.js";
import { changeSession } from "./access.js";
import { checkEtag } from "./etag.js";
import { checkDisplayName, checkLabels } from "./labels.js";
import { shown } from "./shown.js";
import { applyMask, touchesSpec } from "./update-mask.js";

/** Turns the live knobs of a session, without a gap in what it measures. */
export function updateSession(context: SessionContext) {
  const { sessions } = context;
  return async ({ session, updateMask }: UpdateSessionRequest, caller: Caller): Promise<UpdateSessionResponse> => {
    if (session === undefined) throw Failure.field("FIELD_REQUIRED", "session", "is needed, with its name");
    const { record, authority } = changeSession(context, caller, session.name, "session.name");
    const paths = updateMask ?? [];
    await record.lock.run(async () => {
      checkEtag(session.etag, record);
      const next = applyMask(record, session, paths);
      checkDisplayName(next.displayName, "session.display_name");
      checkLabels(next.labels, "session.labels");
      if (touchesSpec(paths)) {
        if (!record.running || record.handle === undefined) throw stopped(record.name);
        sessions.checkHistory(next.spec, record);
        const { spec, scope } = await grantOf(next.spec, authority, record.owner, "session.spec");
        const bytes = Buffer.from(SessionSpec.encode(spec).finish());
        record.effectiveSpec = SessionSpec.decode(await inSession(record.handle.update(bytes, encodeScope(scope))));
      }
      record.displayName = next.displayName;
      record.labels = next.labels;
      record.spec = next.spec;
      sessions.armDuration(record);
      sessions.armIdle(record);
      sessions.feed.changed(record);
    });
    const { owner } = caller;
    return { session: shown(await record.withStats(), record, { authority, owner }, context.collector) };
  };
}

function stopped(name: string): Failure {
  const description = "it has stopped; only display_name and labels can still change";
  return Failure.of("SESSION_STOPPED", `${name}: ${description}`, {
    precondition: [{ type: "STATE", subject: name, description }],
  });
}
