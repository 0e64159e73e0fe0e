import { SessionSpec, type Session } from "@latscope/proto";
import { encodeScope } from "../addon/scope.js";
import type { Collector } from "../addon/types.js";
import type { Authority } from "../auth/policy/authority.js";
import { scopeOf } from "../auth/policy/scope.js";
import type { SessionRecord } from "./record.js";

/**
 * A session as somebody may see it. Of somebody else's, specs are without what would tell more than its samples do, and how much was
 * measured is told only to who may see all of it.
 */
export function shown(
  message: Session,
  record: SessionRecord,
  { authority, owner }: { authority: Authority; owner: string },
  collector: Pick<Collector, "redactSpec">,
): Session {
  if (record.owner === owner) return message;
  const scope = encodeScope(scopeOf(authority, owner, record.measures));
  const specOf = (spec: SessionSpec | undefined): SessionSpec | undefined => {
    if (spec === undefined || scope.redaction === undefined) return spec;
    return SessionSpec.decode(collector.redactSpec(Buffer.from(SessionSpec.encode(spec).finish()), scope));
  };
  const whole = scope.targets === undefined || record.handle?.isWithin(scope.targets) !== false;
  const { spec, effectiveSpec, stats } = message;
  return {
    ...message,
    spec: specOf(spec),
    effectiveSpec: specOf(effectiveSpec),
    stats: stats === undefined || whole ? stats : { ...stats, totals: undefined },
  };
}
