import type { Principal } from "./principal.js";

/** What somebody proved with who they are. */
export interface Credential {
  readonly principal: Principal;
  /** When it is worth nothing any more by itself, in milliseconds since 1970. */
  readonly expiresAt?: number;
  /** Whether it would still be accepted now. @throws Failure ACCESS_REVOKED when not */
  recheck(): void | Promise<void>;
}

/** A credential that nothing can take away while the connection lasts. */
export function lasting(principal: Principal): Credential {
  return { principal, recheck: () => undefined };
}
