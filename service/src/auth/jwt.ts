import { createPublicKey } from "node:crypto";
import type { JSONWebKeySet, JWTVerifyGetKey } from "jose";
import type { JwtRules } from "../config/listener.js";
import { Failure } from "../failure/failure.js";
import { reasonOf } from "../failure/reason-of.js";
import { isSubject } from "./tokens.js";

/** How far the clocks of issuer and host may be apart, in seconds. */
const clockTolerance = 30;

/** A JWT that was accepted. */
export interface VerifiedJwt {
  subject: string;
  claims: Readonly<Record<string, unknown>>;
  /** In milliseconds since 1970, with the tolerance for clocks. */
  expiresAt: number;
}

/** Checks a JWT. Rejects with Failure TOKEN_EXPIRED or TOKEN_INVALID; why is for the log. */
export type JwtVerifier = (token: string) => Promise<VerifiedJwt>;

/** @param content a JWK set, or one public key in PEM @throws Error for anything else */
export async function jwtVerifier(
  { keys: path, issuer, audience, algorithms }: JwtRules,
  content: Buffer,
): Promise<JwtVerifier> {
  // A megabyte that a service without JWTs does without.
  const [{ jwtVerify }, { createLocalJWKSet }, { JWTExpired }] = await Promise.all([
    import("jose/jwt/verify"),
    import("jose/jwks/local"),
    import("jose/errors"),
  ]);
  const keys = readKeys(path, content.toString(), createLocalJWKSet);
  const options = { issuer, audience, algorithms: [...algorithms], clockTolerance, requiredClaims: ["sub", "exp"] };
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, options);
      const { sub: subject, exp = 0 } = payload;
      if (!isSubject(subject)) throw new Error("sub is no name");
      return { subject, claims: payload, expiresAt: (exp + clockTolerance) * 1000 };
    } catch (error) {
      if (error instanceof JWTExpired) throw Failure.of("TOKEN_EXPIRED", "the token has expired");
      throw Failure.of("TOKEN_INVALID", "the token is not accepted here; the service's log says why", {
        log: reasonOf(error),
      });
    }
  };
}

function readKeys(
  path: string,
  text: string,
  createLocalJWKSet: (jwks: JSONWebKeySet) => JWTVerifyGetKey,
): JWTVerifyGetKey {
  if (text.includes("PRIVATE KEY-----")) throw new Error(`${path}: has a private key, and should have the public one`);
  if (text.includes("-----BEGIN ")) {
    const key = createPublicKey(text);
    return () => Promise.resolve(key);
  }
  try {
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
  } catch (cause) {
    const why = reasonOf(cause);
    throw new Error(`${path}: is neither a JWK set nor a public key in PEM: ${why}`, { cause });
  }
}
