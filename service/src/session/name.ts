import { randomBytes } from "node:crypto";
import { Failure } from "../failure/failure.js";

const collection = "sessions/";
const idPattern = /^[a-z][a-z0-9-]{0,62}$/;

/** `edge` -> `sessions/edge`. */
export function sessionName(id: string): string {
  return collection + id;
}

/** The id that a session's name holds. @throws Failure when the name is none */
export function sessionId(name: string, field: string): string {
  if (name === "") throw Failure.field("FIELD_REQUIRED", field, `is needed: ${collection}{id}`);
  const id = name.startsWith(collection) ? name.slice(collection.length) : "";
  if (!idPattern.test(id))
    throw Failure.field("FIELD_INVALID", field, `${JSON.stringify(name)} is not ${collection}{id}`);
  return id;
}

/** @throws Failure when a client may not choose this id */
export function checkSessionId(id: string, field: string): void {
  if (!idPattern.test(id)) {
    const rule = "1 to 63 lower-case letters, digits and hyphens, a letter first";
    throw Failure.field("FIELD_INVALID", field, `${JSON.stringify(id)} is not a session id (${rule})`);
  }
}

/** An id for a session whose client chose none: `s-` and eight hexadecimal digits that no other has. */
export function chooseSessionId(taken: (id: string) => boolean): string {
  for (;;) {
    const id = `s-${randomBytes(4).toString("hex")}`;
    if (!taken(id)) return id;
  }
}
