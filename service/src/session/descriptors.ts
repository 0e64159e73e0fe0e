import { readdirSync, readFileSync } from "node:fs";
import { Failure } from "../failure/failure.js";

/** More than the engines of one session open, however many programs and maps they load. */
const leastFree = 256;

/**
 * Refuses a session for which the process may not have file descriptors enough: it would come to half of its programs, and leave none
 * for the clients that are to come.
 *
 * @throws Failure CAPACITY_EXHAUSTED
 */
export function checkDescriptors(): void {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  // `unlimited` is no number.
  if (limit === undefined || Number(limit) - readdirSync("/proc/self/fd").length >= leastFree) return;
  const description =
    `fewer than ${leastFree} of the ${limit} file descriptors of the service are free: stop sessions, or close connections; ` +
    "LimitNOFILE= of its unit grants it more";
  throw Failure.of("CAPACITY_EXHAUSTED", description, { quota: [{ subject: "file descriptors", description }] });
}
