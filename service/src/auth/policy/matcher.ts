import type { Principal } from "../principal.js";
import { globMatches } from "./glob.js";
import type { Matcher } from "./schema.js";

/** Whether a matcher names a principal: everything that it says holds. */
export function matches(matcher: Matcher, principal: Principal): boolean {
  const { uri, dns, subject, claims, uid, gid, insecure } = matcher;
  return (
    (uri === undefined || principal.uris.some((one) => globMatches(uri, one, "/"))) &&
    (dns === undefined || principal.dnsNames.some((one) => globMatches(dns.toLowerCase(), one.toLowerCase(), "."))) &&
    (subject === undefined || principal.subject === subject) &&
    Object.entries(claims ?? {}).every(([name, wanted]) => hasClaim(principal.claims, name, wanted)) &&
    (uid === undefined || principal.uid === uid) &&
    (gid === undefined || principal.gids?.includes(gid) === true) &&
    (insecure === undefined || principal.kind === "insecure")
  );
}

/** A claim that is a list has each of its values. */
function hasClaim(claims: Principal["claims"], name: string, wanted: string | number | boolean): boolean {
  if (claims === undefined || !Object.hasOwn(claims, name)) return false;
  const value = claims[name];
  return value === wanted || (Array.isArray(value) && value.includes(wanted));
}
