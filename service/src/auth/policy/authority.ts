import type { Principal } from "../principal.js";
import type { RedactionRule, RuleQuota } from "./schema.js";
import { everything, type Targets } from "./targets.js";
import type { Role } from "./role.js";

/** What a principal may do, and by which rule. */
export interface Authority {
  readonly role: Role;
  /** The rule's name. */
  readonly rule: string;
  readonly targets: Targets;
  /** Undefined: nothing is held back. */
  readonly redaction: RedactionRule | undefined;
  /** Where it differs from what everybody has. */
  readonly quota: RuleQuota | undefined;
  /** Changes when, and only when, any of the above does. */
  readonly fingerprint: string;
}

/** Who may do what. */
export interface Policy {
  /** @returns undefined for whom no rule names: it may do nothing */
  authorityOf(principal: Principal): Authority | undefined;
}

/** An authority with a fingerprint of what it says. */
export function authority(parts: Omit<Authority, "fingerprint">): Authority {
  return { ...parts, fingerprint: JSON.stringify(parts) };
}

const without = (role: Role, rule: string): Authority =>
  authority({ role, rule, targets: everything, redaction: undefined, quota: undefined });

const ofRoot = without("admin", "default: root");
const ofLocalUsers = without("operator", "default: the socket's group");
const ofAnybody = without("operator", "default: --insecure");

/** Sessions as files are those of who may write the service's own folders. */
const ofFiles = without("admin", "default: files");

/**
 * The policy where no file says otherwise: whoever comes through the unix socket, which its mode and group guard, or to a plaintext
 * port that somebody has asked for; others may do nothing.
 */
export const defaultPolicy: Policy = {
  authorityOf: ({ kind, uid }) => {
    switch (kind) {
      case "unix":
        return uid === 0 ? ofRoot : ofLocalUsers;
      case "insecure":
        return ofAnybody;
      case "file":
        return ofFiles;
      case "certificate":
      case "token":
        return undefined;
    }
  },
};
