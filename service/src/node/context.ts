import type { Collector } from "../addon/types.js";
import type { RpcContext } from "../rpc/context.js";
import type { Sessions } from "../session/sessions.js";

/** What the methods of NodeService share. */
export interface NodeContext extends RpcContext {
  collector: Collector;
  sessions: Sessions;
  /** `nodes/{name}` */
  node: string;
  /** Of this host, as configured. */
  nodeLabels: Readonly<Record<string, string>>;
  /** When the service started, in milliseconds since 1970. */
  startedAt: number;
}
