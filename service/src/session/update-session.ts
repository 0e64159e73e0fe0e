import type { UpdateSessionRequest, UpdateSessionResponse } from "@latscope/proto";
import { grantOf } from "../auth/policy/grant.js";
import { Failure } from "../failure/failure.js";
import { inSession } from "../failure/from-addon.js";
import type { Caller } from "../rpc/caller.js";
import type { SessionContext } from "./context.js";
import { changeSession } from "./access.js";
import { checkEtag } from "./etag.js";
import { checkDisplayName, checkLabels } from "./labels.js";
import { shown } from "./shown.js";
import { turnKnobs } from "./turn-knobs.js";
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
      const grant = touchesSpec(paths)
        ? (spec: typeof next.spec) => grantOf(spec, authority, record.owner, "session.spec")
        : undefined;
      await inSession(turnKnobs(sessions, record, next, grant));
    });
    const { owner } = caller;
    return { session: shown(await record.withStats(), record, { authority, owner }, context.collector) };
  };
}
