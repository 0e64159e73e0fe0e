import { StopReason, type StopSessionRequest, type StopSessionResponse } from "@latscope/proto";
import type { Caller } from "../rpc/caller.js";
import { changeSession } from "./access.js";
import type { SessionContext } from "./context.js";
import { checkEtag } from "./etag.js";
import { shown } from "./shown.js";

/** Detaches; what was collected stays readable until retain runs out. Idempotent. */
export function stopSession(context: SessionContext) {
  return async ({ name, etag }: StopSessionRequest, caller: Caller): Promise<StopSessionResponse> => {
    const { record, authority } = changeSession(context, caller, name, "name");
    const { owner } = caller;
    checkEtag(etag, record);
    await context.sessions.stop(record, StopReason.REQUESTED);
    return { session: shown(await record.withStats(), record, { authority, owner }, context.collector) };
  };
}
