import type { Collector } from "../addon/types.js";
import type { Audit } from "../audit/audit.js";
import type { Guard } from "../guard/guard.js";
import type { Logger } from "../log/logger.js";
import type { StreamCount } from "../rpc/context.js";
import type { Sessions } from "../session/sessions.js";

/** What exporters tell of. */
export interface Exported {
  collector: Collector;
  sessions: Sessions;
  streams: StreamCount;
  audit: Audit;
  guard: Guard;
  log: Logger;
  /** `nodes/{name}` */
  node: string;
}
