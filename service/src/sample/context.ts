import type { Collector } from "../addon/types.js";
import type { RpcContext } from "../rpc/context.js";
import type { Sessions } from "../session/sessions.js";

/** What the methods of SampleService share. */
export interface SampleContext extends RpcContext {
  collector: Collector;
  sessions: Sessions;
  /** `nodes/{name}` */
  node: string;
}
