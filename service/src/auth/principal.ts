import type { Peer } from "../addon/types.js";

/** Who makes a call, as the listener that it came through could tell. */
export interface Principal {
  /** How it proved who it is; `insecure` proved nothing, and `file` is the service itself acting on a file. */
  kind: "unix" | "certificate" | "token" | "insecure" | "file";
  /** As in Session.owner: `uid:1000`, `spiffe://...`, `dns:host`, `token:SUBJECT`, `file:NAME`; empty when insecure. */
  name: string;
  /** Of the process at the other end of a unix socket. */
  uid?: number;
  /** That process's groups, its own first. */
  gids?: readonly number[];
  /** URIs that the client certificate is for. */
  uris: readonly string[];
  /** DNS names that the client certificate is for. */
  dnsNames: readonly string[];
  /** Whom the token is for. */
  subject?: string;
  /** What a JWT says of its subject, signature checked. */
  claims?: Readonly<Record<string, unknown>>;
}

/** The process at the other end of a unix socket. */
export function unixPrincipal({ uid, gids }: Peer): Principal {
  return { kind: "unix", name: `uid:${uid}`, uid, gids, uris: [], dnsNames: [] };
}

/** Whom a token is for. @param claims what a JWT says besides */
export function tokenPrincipal(subject: string, claims?: Principal["claims"]): Principal {
  const name = `token:${subject}`;
  return { kind: "token", name, subject, ...(claims === undefined ? {} : { claims }), uris: [], dnsNames: [] };
}

/** Somebody on plaintext TCP, where nobody can be told from another. */
export const insecurePrincipal: Principal = { kind: "insecure", name: "", uris: [], dnsNames: [] };
