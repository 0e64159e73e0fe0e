import type { Role } from "./role.js";

const sessions = "/latscope.v1.SessionService";
const samples = "/latscope.v1.SampleService";
const nodes = "/latscope.v1.NodeService";

/**
 * The role that each method takes at least; what it takes besides is decided where the session is known. Everybody who is let in
 * may ask for health; whatever is not here takes a role, too.
 */
const needed: Readonly<Record<string, Role | undefined>> = {
  [`${sessions}/CreateSession`]: "operator",
  [`${sessions}/GetSession`]: "viewer",
  [`${sessions}/ListSessions`]: "viewer",
  [`${sessions}/UpdateSession`]: "operator",
  [`${sessions}/StopSession`]: "operator",
  [`${sessions}/DeleteSession`]: "operator",
  [`${sessions}/WatchSessions`]: "viewer",
  [`${samples}/StreamSamples`]: "viewer",
  [`${samples}/StreamHistograms`]: "viewer",
  [`${samples}/GetSnapshot`]: "viewer",
  [`${nodes}/GetCapabilities`]: "viewer",
  [`${nodes}/GetStatus`]: "viewer",
  [`${nodes}/ListNodes`]: "viewer",
  [`${nodes}/WatchNodes`]: "viewer",
  "/grpc.health.v1.Health/Check": undefined,
  "/grpc.health.v1.Health/List": undefined,
  "/grpc.health.v1.Health/Watch": undefined,
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "viewer",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "viewer",
};

/** Every method of which something is said here. */
export const knownMethods: readonly string[] = Object.keys(needed);

/** @returns undefined for a method that takes no role */
export function neededFor(method: string): Role | undefined {
  return Object.hasOwn(needed, method) ? needed[method] : "viewer";
}
