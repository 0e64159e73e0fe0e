import { SessionView, type GetSessionRequest, type GetSessionResponse } from "@latscope/proto";
import { checkEnum } from "../rpc/enum.js";
import type { SessionContext } from "./context.js";

/** One session with its statistics of this moment. */
export function getSession({ sessions }: SessionContext) {
  return async ({ name, view }: GetSessionRequest): Promise<GetSessionResponse> => {
    checkEnum(SessionView, view, "view");
    return { session: await sessions.get(name, "name").withStats(view) };
  };
}
