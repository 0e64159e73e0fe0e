import { createHash, randomBytes } from "node:crypto";
import type { SessionFacts } from "../auth/policy/session.js";
import { Failure } from "../failure/failure.js";
import type { SessionRecord } from "./record.js";

// Names whose deletion a resumed watcher can still learn of.
const maxDeletions = 10_000;

/** The latest change of one session; no record means that it is gone. */
export interface SessionChanged {
  name: string;
  version: number;
  record: SessionRecord | undefined;
  /** As it is, or as it was at last. */
  facts: SessionFacts;
}

/**
 * What happened to sessions, in order. It keeps only the latest change of each name, so a slow watcher costs nothing: it sees
 * fewer steps, never a wrong last one.
 */
export class SessionFeed {
  readonly #epoch = randomBytes(6).toString("base64url");
  readonly #listeners = new Set<() => void>();
  readonly #latest = new Map<string, SessionChanged>();
  readonly #deleted: SessionChanged[] = [];
  #version = 0;
  /** Deletions up to this version are forgotten. */
  #forgotten = 0;

  changed(record: SessionRecord): void {
    this.#put(record, record);
  }

  deleted(record: SessionRecord): void {
    this.#deleted.push(this.#put(record, undefined));
    if (this.#deleted.length <= maxDeletions) return;
    const oldest = this.#deleted.shift();
    if (oldest === undefined) return;
    this.#forgotten = oldest.version;
    if (this.#latest.get(oldest.name) === oldest) this.#latest.delete(oldest.name);
  }

  /** Changes after a version, oldest first. */
  since(version: number): SessionChanged[] {
    // Every put moves its name to the end, so the map is in the order of versions.
    return [...this.#latest.values()].filter((change) => change.version > version);
  }

  /** Calls the listener after each change. @returns how to unsubscribe */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param seer who sees what: nobody resumes where others, or other rights, left off */
  tokenAt(version: number, seer: string): string {
    return `${this.#epoch}.${version}.${markOf(seer)}`;
  }

  /** @throws Failure RESUME_TOKEN_INVALID, or RESUME_TOKEN_EXPIRED for one of an earlier run, too long ago or for who saw otherwise */
  versionOf(token: string, seer: string): number {
    const [, epoch, digits, mark] = /^([\w-]{8})\.(\d{1,15})\.([\w-]{8})$/.exec(token) ?? [];
    if (epoch === undefined) throw Failure.field("RESUME_TOKEN_INVALID", "resume_token", "is not from a bookmark");
    const version = Number(digits);
    if (epoch !== this.#epoch || version < this.#forgotten || mark !== markOf(seer)) {
      throw Failure.of(
        "RESUME_TOKEN_EXPIRED",
        "resume_token: what changed since is no longer known; watch again without it",
      );
    }
    return version;
  }

  #put({ name, owner, measures }: SessionRecord, record: SessionRecord | undefined): SessionChanged {
    this.#version += 1;
    const change = { name, version: this.#version, record, facts: { owner, measures } };
    this.#latest.delete(name);
    this.#latest.set(name, change);
    for (const listener of this.#listeners) listener();
    return change;
  }
}

function markOf(seer: string): string {
  return createHash("sha256").update(seer).digest("base64url").slice(0, 8);
}
