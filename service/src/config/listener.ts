import { z } from "zod";
import { isLoopback, listenAddress, type ListenAddress } from "./listen.js";
import { keyOf } from "./name.js";
import { absolutePath, described } from "./option.js";

/** What a JWT must be signed with; those with a shared secret are no choice: whoever can check them can make them. */
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"] as const;
const algorithm = z.enum(algorithms, { error: `is none of ${algorithms.join(", ")}` });

/** What a TCP listener is told besides its address: as flags for every `--listen`, in the file for each by itself. */
export const listenerOptions = {
  insecure: described(z.stringbool().default(false), {
    description: "plaintext TCP, on loopback only: every local user becomes operator",
  }),
  tlsCert: described(absolutePath.optional(), {
    description: "the certificate that TCP listeners show, with its chain, in PEM",
    value: "FILE",
  }),
  tlsKey: described(absolutePath.optional(), {
    description: "the key of that certificate, in PEM",
    value: "FILE",
  }),
  clientCa: described(absolutePath.optional(), {
    description: "lets in whoever has a certificate of these authorities: a SPIFFE URI or a DNS name tells who it is",
    value: "FILE",
  }),
  tokenFile: described(absolutePath.optional(), {
    description: "lets in whoever has a token whose hash is in this file (latscope auth token makes one)",
    value: "FILE",
  }),
  jwks: described(absolutePath.optional(), {
    description: "lets in whoever has a JWT signed with one of these keys: a JWK set, or one public key in PEM",
    value: "FILE",
  }),
  jwtIssuer: described(z.string().min(1).optional(), {
    description: "who must have issued a JWT (iss)",
    value: "NAME",
  }),
  jwtAudience: described(z.string().min(1).optional(), {
    description: "for whom a JWT must have been issued (aud)",
    value: "NAME",
  }),
  jwtAlgorithm: described(z.array(algorithm).default(["ES256", "EdDSA", "PS256", "RS256"]), {
    description: "a signature that a JWT may have; may be given more than once (default: ES256, EdDSA, PS256, RS256)",
    value: "NAME",
  }),
} as const;

/** A listener of its own in the file. */
export const listenerEntry = z.strictObject({ listen: listenAddress, ...listenerOptions });

type RawListener = Omit<z.infer<typeof listenerEntry>, "listen">;

/** How the keys of JWTs are found, and what else a JWT must say. */
export interface JwtRules {
  /** A JWK set, or a public key in PEM. */
  keys: string;
  issuer: string;
  audience: string;
  algorithms: readonly string[];
}

/** TLS on a listener, and whom it lets in by what. At least one of the last three is there. */
export interface TlsListener {
  cert: string;
  key: string;
  clientCa: string | undefined;
  tokenFile: string | undefined;
  jwt: JwtRules | undefined;
}

/** A TCP listener; one without TLS is plaintext on loopback. */
export interface Listener {
  address: ListenAddress;
  tls: TlsListener | undefined;
}

/** Something wrong with a listener, and the option to blame. */
export interface ListenerProblem {
  option: keyof RawListener | "listen";
  message: string;
}

const authentication = ["clientCa", "tokenFile", "jwks"] as const;

/** What a listener comes to. @returns the problems, when it may not be */
export function resolveListener(address: ListenAddress, raw: RawListener): Listener | ListenerProblem[] {
  const { insecure, tlsCert: cert, tlsKey: key, clientCa, tokenFile, jwks: keys, jwtIssuer, jwtAudience } = raw;
  if (insecure) return plaintext(address, raw);
  if (cert === undefined && key === undefined) {
    return [
      {
        option: "listen",
        message:
          "TCP needs TLS: give it tls-cert and tls-key, and client-ca, token-file or jwks to tell who calls " +
          "(docs/security.md); without them, other machines reach the unix socket through ssh -L 4317:SOCKET HOST, and " +
          "insecure makes plaintext TCP on loopback",
      },
    ];
  }
  const problems: ListenerProblem[] = [];
  if (cert === undefined) problems.push({ option: "tlsKey", message: "is of use with tls-cert only" });
  if (key === undefined) problems.push({ option: "tlsCert", message: "needs tls-key, the key of the certificate" });
  if (authentication.every((name) => raw[name] === undefined)) {
    const message = "does not tell who calls: give it client-ca, token-file or jwks as well (docs/security.md)";
    problems.push({ option: "tlsCert", message });
  }
  if (keys !== undefined && (jwtIssuer === undefined || jwtAudience === undefined)) {
    const message = "needs jwt-issuer and jwt-audience: else a token that somebody got for another service would do";
    problems.push({ option: "jwks", message });
  }
  for (const option of ["jwtIssuer", "jwtAudience"] as const) {
    if (keys === undefined && raw[option] !== undefined) problems.push({ option, message: "is of use with jwks only" });
  }
  if (problems.length > 0 || cert === undefined || key === undefined) return problems;
  const jwt =
    keys === undefined || jwtIssuer === undefined || jwtAudience === undefined
      ? undefined
      : { keys, issuer: jwtIssuer, audience: jwtAudience, algorithms: raw.jwtAlgorithm };
  return { address, tls: { cert, key, clientCa, tokenFile, jwt } };
}

function plaintext(address: ListenAddress, raw: RawListener): Listener | ListenerProblem[] {
  const contrary = (["tlsCert", "tlsKey", ...authentication] as const).find((name) => raw[name] !== undefined);
  if (contrary !== undefined) {
    const message =
      `is plaintext, on which ${keyOf(contrary)} is of no use: leave out one of the two; the file's listeners can have each ` +
      "what it needs";
    return [{ option: "insecure", message }];
  }
  if (isLoopback(address.host)) return { address, tls: undefined };
  const message =
    `insecure is plaintext and works on loopback only, and "${address.host}" is not loopback; use TLS (tls-cert, tls-key; ` +
    "docs/security.md), or listen on 127.0.0.1 and reach it from another machine through ssh -L 4317:127.0.0.1:PORT HOST";
  return [{ option: "listen", message }];
}
