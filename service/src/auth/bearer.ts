import type { Metadata } from "@grpc/grpc-js";
import { Failure } from "../failure/failure.js";

/**
 * Takes the bearer token out of a call's metadata: nothing behind the door has a use for it, and what is not there is not logged.
 *
 * @throws Failure TOKEN_INVALID for an authorization of another kind, or for two
 */
export function takeToken(metadata: Metadata): string | undefined {
  const values = metadata.get("authorization");
  if (values.length === 0) return undefined;
  metadata.remove("authorization");
  const [, token] = /^Bearer +([\x21-\x7e]+)$/i.exec(String(values[0])) ?? [];
  if (token !== undefined && values.length === 1) return token;
  throw Failure.of("TOKEN_INVALID", 'the authorization should be one "Bearer TOKEN"');
}

/** For listeners on which nobody should send one. @throws Failure TOKEN_ON_PLAINTEXT */
export function refuseToken(token: string | undefined): void {
  if (token === undefined) return;
  throw Failure.of(
    "TOKEN_ON_PLAINTEXT",
    "a token was sent over a connection without TLS: use a TLS listener, and have the token replaced, others may have seen it",
  );
}
