import { CreateSessionRequest, Session, SessionSpec, SessionView, type CreateSessionResponse } from "@latscope/proto";
import { inSession } from "../failure/from-addon.js";
import type { SessionContext } from "./context.js";
import { checkLabels } from "./labels.js";
import { checkSessionId } from "./name.js";
import type { NewSession } from "./record.js";

/** Answers once every probe is attached, or with the reason why not. A repeat with the same request_id gets the first answer. */
export function createSession(context: SessionContext) {
  return async (request: CreateSessionRequest): Promise<CreateSessionResponse> => {
    const session = newSession(request);
    if (request.validateOnly) return validate(context, session);
    const bytes = CreateSessionRequest.encode(request).finish();
    return context.replies.once(request.requestId, bytes, async () => {
      const record = await inSession(context.sessions.create(session));
      return { session: await record.withStats(SessionView.BASIC) };
    });
  };
}

function newSession({ session, sessionId: id }: CreateSessionRequest): NewSession {
  if (id !== "") checkSessionId(id, "session_id");
  const labels = session?.labels ?? {};
  checkLabels(labels, "session.labels");
  const fields = {
    displayName: session?.displayName ?? "",
    labels,
    spec: session?.spec ?? SessionSpec.fromPartial({}),
  };
  return id === "" ? fields : { ...fields, id };
}

/** The same checks as for a session that is to run; nothing is attached and nothing is kept. */
async function validate({ collector }: SessionContext, session: NewSession): Promise<CreateSessionResponse> {
  const spec = Buffer.from(SessionSpec.encode(session.spec).finish());
  const effectiveSpec = SessionSpec.decode(await inSession(collector.check(spec)));
  const { displayName, labels } = session;
  return { session: Session.fromPartial({ displayName, labels: { ...labels }, spec: session.spec, effectiveSpec }) };
}
