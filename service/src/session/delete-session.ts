import { SessionState, StopReason, type DeleteSessionRequest, type DeleteSessionResponse } from "@latscope/proto";
import { Failure } from "../failure/failure.js";
import type { Caller } from "../rpc/caller.js";
import { changeSession } from "./access.js";
import type { SessionContext } from "./context.js";
import { checkEtag } from "./etag.js";

/** Frees what a session collected; a running one only with force. */
export function deleteSession(context: SessionContext) {
  return async ({ name, etag, force }: DeleteSessionRequest, caller: Caller): Promise<DeleteSessionResponse> => {
    const { record } = changeSession(context, caller, name, "name");
    checkEtag(etag, record);
    if (record.running && !force) {
      const description = `it is ${SessionState[record.state]}; stop it first, or set force`;
      throw Failure.of("SESSION_RUNNING", `${name}: ${description}`, {
        precondition: [{ type: "STATE", subject: name, description }],
      });
    }
    await context.sessions.remove(record, StopReason.REQUESTED);
    return {};
  };
}
