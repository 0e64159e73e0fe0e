import { Failure } from "../failure/failure.js";

/** What somebody hears of a session that is not there, or not for them. */
export function notFound(name: string): Failure {
  return Failure.of("SESSION_NOT_FOUND", `${name} does not exist`, { resource: { type: "latscope.v1.Session", name } });
}
