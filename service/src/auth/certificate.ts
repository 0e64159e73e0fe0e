import type { X509Certificate } from "node:crypto";
import { Failure } from "../failure/failure.js";
import type { Principal } from "./principal.js";

/** More certificates than this between a client's and an authority are no chain that anybody uses. */
const longestChain = 8;

/**
 * Who a client certificate, already verified, is for: its one SPIFFE URI, else its first DNS name.
 *
 * @throws Failure CERTIFICATE_INVALID for one that names nobody
 */
export function certificatePrincipal({ subjectAltName }: Pick<X509Certificate, "subjectAltName">): Principal {
  const names = alternativeNames(subjectAltName ?? "");
  const uris = names.filter(([type]) => type === "URI").map(([, name]) => name);
  const dnsNames = names.filter(([type]) => type === "DNS").map(([, name]) => name.toLowerCase());
  const spiffe = uris.filter((uri) => /^spiffe:\/\/[^/]/.test(uri));
  if (spiffe.length > 1) {
    throw Failure.of("CERTIFICATE_INVALID", "the client certificate has more than one SPIFFE URI, and may have one");
  }
  const host = dnsNames.find((name) => !name.includes("*"));
  const name = spiffe[0] ?? (host === undefined ? undefined : `dns:${host}`);
  if (name !== undefined) return { kind: "certificate", name, uris, dnsNames };
  throw Failure.of(
    "CERTIFICATE_INVALID",
    "the client certificate does not say whom it is for: it needs a SPIFFE URI or a DNS name as subject alternative name",
  );
}

/** Node's form of the extension: `URI:spiffe://a/b, DNS:c`, where a name with signs of its own is a JSON string. */
function alternativeNames(text: string): [type: string, name: string][] {
  return [...text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(([, type = "", name = ""]) => [
    type,
    name.startsWith('"') ? (JSON.parse(name) as string) : name,
  ]);
}

/**
 * Whether a client certificate that was verified once still leads to one of these authorities.
 *
 * @param sent what else the client sent: intermediate certificates, in any order
 */
export function leadsTo(
  certificate: X509Certificate,
  sent: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  let at = certificate;
  for (let length = 0; length < longestChain; length++) {
    const below = at;
    if (authorities.some((authority) => isIssuer(authority, below))) return true;
    const issuer = sent.find((other) => other.ca && isIssuer(other, below));
    if (issuer === undefined) return false;
    at = issuer;
  }
  return false;
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return isValidNow(issuer) && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isValidNow({ validFrom, validTo }: X509Certificate): boolean {
  const now = Date.now();
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo);
}
