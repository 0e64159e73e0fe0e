import { SessionSpec } from "@latscope/proto";
import type { Timestamp } from "@latscope/proto/google/protobuf/timestamp";
import { grantOf } from "../auth/policy/grant.js";
import type { Policies } from "../auth/policy/policies.js";
import { toFailure } from "../failure/answer.js";
import type { Logger } from "../log/logger.js";
import type { Quotas } from "../quota/quotas.js";
import type { Actor } from "../rpc/caller.js";
import { sessionId } from "../session/name.js";
import type { NewSession } from "../session/record.js";
import type { Sessions } from "../session/sessions.js";
import { milliseconds } from "../session/time.js";
import type { Remembered } from "./remembered.js";

/** What it takes to start a session again. */
export interface RestoreParts {
  sessions: Sessions;
  policies: Policies;
  quotas: Quotas;
  log: Logger;
  /** How long one that cannot come back is kept for its owner to see why. */
  retainMs: number;
}

/**
 * Starts sessions again as their owners may have them now. One whose time has passed meanwhile is over; one that cannot be had any
 * more is there as FAILED, with the reason.
 */
export function restoring(parts: RestoreParts): (remembered: Remembered) => Promise<void> {
  const { sessions, policies, quotas, log, retainMs } = parts;
  return async ({ principal, session }) => {
    const { name, displayName, labels } = session;
    const spec = session.spec ?? SessionSpec.fromPartial({});
    const earlier = { createdAt: since(session.createTime), runsSince: since(session.startTime) };
    const { duration } = spec.limits ?? {};
    if (duration !== undefined && earlier.runsSince + milliseconds(duration) <= Date.now()) {
      log.info({ session: name }, `${name} does not come back: its time passed while the service was down`);
      return;
    }
    const owner = principal.name;
    const fields = { owner, principal, displayName, labels, spec, earlier };
    try {
      const id = sessionId(name, "name");
      try {
        await sessions.create({ id, ...fields, ...(await rights(fields)) });
        log.info({ session: name }, `${name} is back`);
      } catch (error) {
        const failure = toFailure(error);
        if (failure === undefined) throw error;
        log.error({ session: name, reason: failure.reason }, `${name} cannot come back: ${failure.message}`);
        const grant = { spec, scope: { principal: owner, targets: [], redaction: undefined } };
        sessions.fail({ id, ...fields, grant }, `it could not come back: ${failure.message}`, retainMs);
      }
    } catch (error) {
      log.error({ err: error, session: name }, `${name} cannot come back`);
    }
  };

  async function rights({ owner, principal, spec }: Pick<NewSession, "owner" | "spec"> & Pick<Actor, "principal">) {
    const record = { method: "", peer: "", startedAt: Date.now() };
    const actor = { owner, principal, method: "", record };
    const authority = policies.require("operator", actor, "a session of one's own");
    return { grant: await grantOf(spec, authority, owner, "spec"), quota: quotas.ofSessions(actor) };
  }
}

function since(time: Timestamp | undefined): number {
  return time === undefined ? Date.now() : milliseconds(time);
}
