import type { Collector } from "../addon/types.js";
import type { Audit } from "../audit/audit.js";
import type { Lasting } from "../declared/lasting.js";
import type { Exporter } from "../export/start.js";
import type { Guard } from "../guard/guard.js";
import type { RpcContext } from "../rpc/context.js";
import type { ThisNode } from "./select.js";
import type { Sessions } from "../session/sessions.js";

/** What the methods of NodeService share. */
export interface NodeContext extends RpcContext, ThisNode {
  collector: Collector;
  sessions: Sessions;
  audit: Audit;
  guard: Guard;
  lasting: Lasting;
  /** Those at work; they start after the service. */
  exporters: readonly Exporter[];
  /** When the service started, in milliseconds since 1970. */
  startedAt: number;
}
