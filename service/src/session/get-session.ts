import type { GetSessionRequest, GetSessionResponse } from "@latscope/proto";
import type { SessionContext } from "./context.js";

/** One session with its statistics of this moment. */
export function getSession({ sessions }: SessionContext) {
  return async ({ name, view }: GetSessionRequest): Promise<GetSessionResponse> => ({
    session: await sessions.get(name, "name").withStats(view),
  });
}
