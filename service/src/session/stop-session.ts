import { StopReason, type StopSessionRequest, type StopSessionResponse } from "@latscope/proto";
import type { SessionContext } from "./context.js";
import { checkEtag } from "./etag.js";

/** Detaches; what was collected stays readable until retain runs out. Idempotent. */
export function stopSession({ sessions }: SessionContext) {
  return async ({ name, etag }: StopSessionRequest): Promise<StopSessionResponse> => {
    const record = sessions.get(name, "name");
    checkEtag(etag, record);
    await sessions.stop(record, StopReason.REQUESTED);
    return { session: await record.withStats() };
  };
}
