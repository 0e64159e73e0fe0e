import type { Collector } from "../addon/types.js";
import type { ThisNode } from "../node/select.js";
import type { RpcContext } from "../rpc/context.js";
import type { Sessions } from "../session/sessions.js";

/** What the methods of SampleService share. */
export interface SampleContext extends RpcContext, ThisNode {
  collector: Collector;
  sessions: Sessions;
}
