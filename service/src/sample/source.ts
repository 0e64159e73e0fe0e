import { EndReason, type SessionSpec } from "@latscope/proto";
import { grantOf } from "../auth/policy/grant.js";
import { scopeOf } from "../auth/policy/scope.js";
import type { Caller } from "../rpc/caller.js";
import { encodeScope } from "../addon/scope.js";
import type { ReaderHandle, ReaderHeader, SessionHandle } from "../addon/types.js";
import { Failure } from "../failure/failure.js";
import { Meter } from "../quota/meter.js";
import type { Outgoing } from "../rpc/outgoing.js";
import type { NewSession, SessionRecord, StreamLifetime } from "../session/record.js";
import type { SampleContext } from "./context.js";
import { pump } from "./pump.js";

/** What of a session can be read. @throws Failure SESSION_STARTING, SESSION_STOPPED */
export function readable({ handle, name, running, stateReason }: SessionRecord): SessionHandle {
  if (handle !== undefined) return handle;
  if (!running) {
    throw Failure.of("SESSION_STOPPED", `${name} measured nothing: ${stateReason}`, {
      precondition: [{ type: "STATE", subject: name, description: stateReason }],
    });
  }
  const description = "it is still starting";
  throw Failure.of("SESSION_STARTING", `${name}: ${description}`, {
    precondition: [{ type: "STATE", subject: name, description }],
    retryAfterMs: 100,
  });
}

/**
 * Sends what a reader of a session has, and counts it as one as long. When the policy comes to say otherwise of what its caller may
 * see, the reader ends: who resumes gets what they may see then.
 *
 * @returns whether the stream came to its End message
 */
export async function follow(
  { sessions, policies, quotas, draining }: SampleContext,
  caller: Caller,
  record: SessionRecord,
  reader: ReaderHandle,
  outgoing: Outgoing<Buffer>,
): Promise<boolean> {
  const scope = (): string => JSON.stringify(scopeOf(policies.authorityOf(caller), caller.owner, record.measures));
  const opened = scope();
  const unsubscribe = policies.subscribe(() => {
    if (!holds(() => scope() === opened)) reader.end(EndReason.ACCESS_REVOKED);
  });
  sessions.enter(record);
  try {
    const ends = { draining, revoked: caller.revoked };
    return await pump(reader, outgoing, ends, new Meter(quotas.of(caller), reader));
  } finally {
    sessions.leave(record);
    unsubscribe();
  }
}

/** Whether something still holds: that it can no longer be asked is a no. */
function holds(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

/** How a session is read: for whom, and as far as they may see it. */
export function headerFor({ node, policies }: SampleContext, caller: Caller, record: SessionRecord): ReaderHeader {
  const scope = scopeOf(policies.authorityOf(caller), caller.owner, record.measures);
  return { node, session: record.name, scope: encodeScope(scope) };
}

/** The session that a stream asks for by its spec. @throws Failure ROLE_MISSING, TARGET_DENIED */
export async function ownSession(
  { policies, quotas }: SampleContext,
  caller: Caller,
  spec: SessionSpec,
  stream: StreamLifetime,
): Promise<NewSession> {
  const authority = policies.require("operator", caller, "a session of one's own");
  const grant = await grantOf(spec, authority, caller.owner, "spec");
  const quota = quotas.ofSessions(caller);
  return { spec, grant, quota, owner: caller.owner, displayName: "", labels: {}, stream };
}

/** A stream for which the request names no session and brings no spec. */
export function noSource(): Failure {
  return Failure.field("FIELD_REQUIRED", "source", "give a session (sessions/{id}) or a spec");
}
