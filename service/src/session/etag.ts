import { createHash } from "node:crypto";
import { Session, type SessionSpec } from "@latscope/proto";
import { Failure } from "../failure/failure.js";

/** The fields of a session that a client sets. */
export interface ClientFields {
  displayName: string;
  labels: Readonly<Record<string, string>>;
  spec: SessionSpec;
}

/** Changes when, and only when, a field changes that a client sets. */
export function etagOf({ displayName, labels, spec }: ClientFields): string {
  const sorted = Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
  const bytes = Session.encode(Session.fromPartial({ displayName, labels: sorted, spec })).finish();
  return createHash("sha256").update(bytes).digest("base64url").slice(0, 16);
}

/** @param asked the etag of the request; empty = whatever it is now @throws Failure ETAG_MISMATCH */
export function checkEtag(asked: string, session: ClientFields & { name: string }): void {
  const current = etagOf(session);
  if (asked === "" || asked === current) return;
  throw Failure.of("ETAG_MISMATCH", `${session.name} has changed since etag ${JSON.stringify(asked)} was read`, {
    resource: { type: "latscope.v1.Session", name: session.name },
    metadata: { etag: current },
  });
}
