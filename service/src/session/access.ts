import type { Authority } from "../auth/policy/authority.js";
import { maySee, refuseChange } from "../auth/policy/session.js";
import type { Caller } from "../rpc/caller.js";
import type { RpcContext } from "../rpc/context.js";
import { notFound } from "./not-found.js";
import type { SessionRecord } from "./record.js";
import type { Sessions } from "./sessions.js";

/** A session that a caller asks for, and what the caller may do. */
export interface Access {
  record: SessionRecord;
  authority: Authority;
}

type AccessContext = Pick<RpcContext, "policies"> & { sessions: Sessions };

/**
 * The session of a name, for somebody who may know of it: to others it is not there.
 *
 * @param field where the request holds the name
 * @throws Failure SESSION_NOT_FOUND, FIELD_REQUIRED, FIELD_INVALID
 */
export function seeSession({ sessions, policies }: AccessContext, caller: Caller, name: string, field: string): Access {
  const authority = policies.authorityOf(caller);
  const record = sessions.get(name, field);
  if (!maySee(authority, caller.owner, record)) {
    // The answer is that of a name that nobody has; what it is the answer to, only the audit tells.
    caller.record.decision = "denied";
    throw notFound(name);
  }
  caller.record.session = record.name;
  return { record, authority };
}

/** The same for who is about to change it. @throws Failure NOT_OWNER, OWNED_BY_FILE besides */
export function changeSession(context: AccessContext, caller: Caller, name: string, field: string): Access {
  const access = seeSession(context, caller, name, field);
  refuseChange(access.authority, caller.owner, access.record);
  return access;
}
