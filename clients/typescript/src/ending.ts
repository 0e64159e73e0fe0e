import { EndReason } from "@latscope/proto";

/** Why a stream ends before it has told all that there was to tell. */
export const failures: ReadonlySet<EndReason> = new Set([
  EndReason.SESSION_FAILED,
  EndReason.ACCESS_REVOKED,
  EndReason.NODE_LOST,
]);
