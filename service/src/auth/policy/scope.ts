import type { Filter, SessionSpec } from "@latscope/proto";
import type { Authority } from "./authority.js";
import type { RedactionRule } from "./schema.js";
import { clausesOf } from "./targets.js";

/** What the collector is told of somebody who makes a session or reads one. */
export interface Scope {
  /** As in Session.owner: cursors are good for whom they were given to. */
  readonly principal: string;
  /** OR between them; undefined = everything, an empty list = nothing. */
  readonly targets: readonly Filter[] | undefined;
  readonly redaction: RedactionRule | undefined;
}

/** @param spec of the session that it is about */
export function scopeOf(authority: Authority, owner: string, spec: SessionSpec): Scope {
  return { principal: owner, targets: clausesOf(authority.targets, spec), redaction: authority.redaction };
}
