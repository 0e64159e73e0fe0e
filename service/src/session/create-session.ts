import { CreateSessionRequest, Session, SessionSpec, type CreateSessionResponse } from "@latscope/proto";
import { encodeScope } from "../addon/scope.js";
import { grantOf } from "../auth/policy/grant.js";
import { inSession } from "../failure/from-addon.js";
import { requireNode } from "../node/select.js";
import type { Caller } from "../rpc/caller.js";
import type { SessionContext } from "./context.js";
import { checkDisplayName, checkLabels } from "./labels.js";
import { checkSessionId } from "./name.js";
import type { NewSession } from "./record.js";

/** Answers once every probe is attached, or with the reason why not. A repeat with the same request_id gets the first answer. */
export function createSession(context: SessionContext) {
  return async (request: CreateSessionRequest, caller: Caller): Promise<CreateSessionResponse> => {
    const asked = newSession(request, caller);
    requireNode(asked.spec.nodeSelector, context, "session.spec.node_selector");
    const authority = context.policies.authorityOf(caller);
    const grant = await grantOf(asked.spec, authority, caller.owner, "session.spec");
    const session = { ...asked, grant, quota: context.quotas.ofSessions(caller) };
    if (request.validateOnly) return validate(context, session);
    const bytes = CreateSessionRequest.encode(request).finish();
    return context.replies.once(caller.owner, request.requestId, bytes, async () => {
      const record = await inSession(context.sessions.create(session));
      caller.record.session = record.name;
      return { session: await record.withStats() };
    });
  };
}

function newSession(
  { session, sessionId: id }: CreateSessionRequest,
  { owner, principal }: Caller,
): Omit<NewSession, "grant"> {
  if (id !== "") checkSessionId(id, "session_id");
  const { displayName = "", labels = {} } = session ?? {};
  checkDisplayName(displayName, "session.display_name");
  checkLabels(labels, "session.labels");
  const fields = {
    owner,
    principal,
    displayName,
    labels,
    spec: session?.spec ?? SessionSpec.fromPartial({}),
  };
  return id === "" ? fields : { ...fields, id };
}

/** The same checks as for a session that is to run, its programs loaded and verified; nothing is attached and nothing is kept. */
async function validate({ collector }: SessionContext, session: NewSession): Promise<CreateSessionResponse> {
  const { spec, scope } = session.grant;
  const bytes = Buffer.from(SessionSpec.encode(spec).finish());
  const { effectiveSpec, stats } = Session.decode(await inSession(collector.verify(bytes, encodeScope(scope))));
  const { displayName, labels } = session;
  return {
    session: Session.fromPartial({ displayName, labels: { ...labels }, spec: session.spec, effectiveSpec, stats }),
  };
}
