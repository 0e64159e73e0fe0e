import { SessionView, type GetSessionRequest, type GetSessionResponse } from "@latscope/proto";
import type { Caller } from "../rpc/caller.js";
import { checkEnum } from "../rpc/enum.js";
import { seeSession } from "./access.js";
import type { SessionContext } from "./context.js";
import { shown } from "./shown.js";

/** One session with its statistics of this moment. */
export function getSession(context: SessionContext) {
  return async ({ name, view }: GetSessionRequest, caller: Caller): Promise<GetSessionResponse> => {
    checkEnum(SessionView, view, "view");
    // What the kernel runs says more of the host than of the session.
    if (view === SessionView.FULL) context.policies.require("admin", caller, "SESSION_VIEW_FULL");
    const { record, authority } = seeSession(context, caller, name, "name");
    const { owner } = caller;
    return { session: shown(await record.withStats(view), record, { authority, owner }, context.collector) };
  };
}
