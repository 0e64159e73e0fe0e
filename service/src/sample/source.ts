import type { ReaderHandle, SessionHandle } from "../addon/types.js";
import { Failure } from "../failure/failure.js";
import type { Outgoing } from "../rpc/outgoing.js";
import type { SessionRecord } from "../session/record.js";
import type { SampleContext } from "./context.js";
import { pump } from "./pump.js";

/** What of a session can be read. @throws Failure SESSION_STARTING */
export function readable({ handle, name }: SessionRecord): SessionHandle {
  if (handle !== undefined) return handle;
  const description = "it is still starting";
  throw Failure.of("SESSION_STARTING", `${name}: ${description}`, {
    precondition: [{ type: "STATE", subject: name, description }],
    retryAfterMs: 100,
  });
}

/** Sends what a reader of a session has, and counts it as one as long. @returns whether the stream came to its End message */
export async function follow(
  { sessions, draining }: SampleContext,
  record: SessionRecord,
  reader: ReaderHandle,
  outgoing: Outgoing<Buffer>,
): Promise<boolean> {
  sessions.enter(record);
  try {
    return await pump(reader, outgoing, draining);
  } finally {
    sessions.leave(record);
  }
}

/** A stream for which the request names no session and brings no spec. */
export function noSource(): Failure {
  return Failure.field("FIELD_REQUIRED", "source", "give a session (sessions/{id}) or a spec");
}
