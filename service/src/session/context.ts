import type { CreateSessionResponse } from "@latscope/proto";
import type { Collector } from "../addon/types.js";
import type { ThisNode } from "../node/select.js";
import type { RpcContext } from "../rpc/context.js";
import type { Replies } from "./replies.js";
import type { Sessions } from "./sessions.js";

/** What the methods of SessionService share. */
export interface SessionContext extends RpcContext, ThisNode {
  collector: Collector;
  sessions: Sessions;
  replies: Replies<CreateSessionResponse>;
}
