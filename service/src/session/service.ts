import type { SessionServiceServer } from "@latscope/proto";
import { serverStreaming } from "../rpc/server-streaming.js";
import { unary } from "../rpc/unary.js";
import type { SessionContext } from "./context.js";
import { createSession } from "./create-session.js";
import { deleteSession } from "./delete-session.js";
import { getSession } from "./get-session.js";
import { listSessions } from "./list-sessions.js";
import { stopSession } from "./stop-session.js";
import { updateSession } from "./update-session.js";
import { watchSessions } from "./watch-sessions.js";

/** latscope.v1.SessionService. */
export function sessionService(context: SessionContext): SessionServiceServer {
  return {
    createSession: unary(context, createSession(context)),
    getSession: unary(context, getSession(context)),
    listSessions: unary(context, listSessions(context)),
    updateSession: unary(context, updateSession(context)),
    stopSession: unary(context, stopSession(context)),
    deleteSession: unary(context, deleteSession(context)),
    watchSessions: serverStreaming(context, watchSessions(context)),
  };
}
