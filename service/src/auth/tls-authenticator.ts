import { X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { Failure } from "../failure/failure.js";
import { certificatePrincipal, leadsTo } from "./certificate.js";
import type { Credential } from "./credential.js";
import type { JwtVerifier } from "./jwt.js";
import { tokenPrincipal } from "./principal.js";
import type { Reloading } from "./reloading.js";
import type { TlsMaterial } from "./tls-material.js";
import type { Tokens } from "./tokens.js";

/** Whom a TLS listener lets in by what; each may be replaced while it runs. */
export interface TlsSources {
  material: Reloading<TlsMaterial>;
  tokens: Reloading<Tokens> | undefined;
  jwts: Reloading<JwtVerifier> | undefined;
}

/** Tells who calls over TLS: by a token, where the listener takes any and one is there, else by the client's certificate. */
export class TlsAuthenticator {
  readonly #sources: TlsSources;

  constructor(sources: TlsSources) {
    this.#sources = sources;
  }

  /** For one connection. @returns who makes a call on it with this token, or throws a Failure UNAUTHENTICATED */
  for(socket: TLSSocket): (token: string | undefined) => Credential | Promise<Credential> {
    const identity = new ClientCertificate(socket, this.#sources.material);
    return (token) => (token === undefined ? identity.credential() : this.#byToken(token));
  }

  #byToken(token: string): Credential | Promise<Credential> {
    const { tokens, jwts } = this.#sources;
    const subject = tokens?.current.subjectOf(token);
    if (tokens !== undefined && subject !== undefined) {
      const recheck = (): void => {
        if (tokens.current.subjectOf(token) !== subject)
          throw revoked(`the token of token:${subject} is no longer accepted`);
      };
      recheck();
      return { principal: tokenPrincipal(subject), recheck };
    }
    if (jwts !== undefined && token.split(".").length === 3) return byJwt(token, jwts);
    const description =
      tokens === undefined && jwts === undefined
        ? "this listener takes no tokens, only client certificates"
        : "the token is not accepted here";
    throw Failure.of("TOKEN_INVALID", description);
  }
}

async function byJwt(token: string, jwts: Reloading<JwtVerifier>): Promise<Credential> {
  const { subject, claims, expiresAt } = await jwts.current(token);
  const recheck = async (): Promise<void> => {
    try {
      await jwts.current(token);
    } catch {
      throw revoked(`the token of token:${subject} is no longer accepted`);
    }
  };
  return { principal: tokenPrincipal(subject, claims), expiresAt, recheck };
}

/** It is checked without waiting for anything. */
interface ClientCredential extends Credential {
  recheck(): void;
}

/** What a connection's client showed when it was made. */
class ClientCertificate {
  readonly #socket: TLSSocket;
  readonly #material: Reloading<TlsMaterial>;
  /** Not the handshake's own: a reload may have come between its beginning and its end. */
  #verifiedBy: TlsMaterial | undefined;
  #credential: ClientCredential | undefined;

  constructor(socket: TLSSocket, material: Reloading<TlsMaterial>) {
    this.#socket = socket;
    this.#material = material;
  }

  credential(): Credential {
    this.#credential ??= this.#identify();
    this.#credential.recheck();
    return this.#credential;
  }

  #identify(): ClientCredential {
    const [certificate, ...sent] = chainOf(this.#socket);
    if (certificate === undefined) {
      const takes =
        this.#material.current.authorities.length > 0 ? "a client certificate or a bearer token" : "a bearer token";
      throw Failure.of("CREDENTIALS_MISSING", `nothing tells who is calling: ${takes} is needed here`);
    }
    if (!this.#socket.authorized) {
      const why = String(this.#socket.authorizationError);
      throw Failure.of("CERTIFICATE_INVALID", `the client certificate is not accepted here (${why})`);
    }
    const principal = certificatePrincipal(certificate);
    const expiresAt = Date.parse(certificate.validTo);
    const recheck = (): void => {
      this.#recheck(certificate, sent, principal.name, expiresAt);
    };
    return { principal, expiresAt, recheck };
  }

  #recheck(certificate: X509Certificate, sent: X509Certificate[], name: string, expiresAt: number): void {
    if (expiresAt <= Date.now()) throw revoked(`the client certificate of ${name} has expired`);
    const { current } = this.#material;
    if (current === this.#verifiedBy) return;
    if (!leadsTo(certificate, sent, current.authorities)) {
      throw revoked(`the authority of the client certificate of ${name} is no longer accepted`);
    }
    this.#verifiedBy = current;
  }
}

/**
 * What the client sent, its own certificate first. In Node's older form, as `getPeerX509Certificate` takes the chain away from
 * whoever asks after it. Node 24 tells the client's own alone, and its issuer if that is an authority here.
 */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain = new Map<Partial<DetailedPeerCertificate>, X509Certificate>();
  let at: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true);
  while (at?.raw !== undefined && !chain.has(at)) {
    chain.set(at, new X509Certificate(at.raw));
    at = at.issuerCertificate;
  }
  return [...chain.values()];
}

function revoked(message: string): Failure {
  return Failure.of("ACCESS_REVOKED", message);
}
