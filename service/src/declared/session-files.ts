import { SessionSpec, SessionState, StopReason, type SessionFileStatus } from "@latscope/proto";
import { isDeepStrictEqual } from "node:util";
import { encodeScope } from "../addon/scope.js";
import type { Collector } from "../addon/types.js";
import { FolderWatch } from "../auth/folder-watch.js";
import { grantOf, type Grant } from "../auth/policy/grant.js";
import type { Policies } from "../auth/policy/policies.js";
import { ConfigError } from "../config/error.js";
import { reasonOf } from "../failure/reason-of.js";
import type { Logger } from "../log/logger.js";
import { selectNode, type ThisNode } from "../node/select.js";
import type { SessionRecord } from "../session/record.js";
import type { Sessions } from "../session/sessions.js";
import { turnKnobs } from "../session/turn-knobs.js";
import { concerns, readFolder, type FolderContents } from "./folder.js";
import { describe, parseSession, SessionFileError, type Declared } from "./parse.js";

/** What kept a session from starting may have gone since: an interface was missing, a name was taken. */
const retryMs = 30_000;

/** What sessions as files need from the service. */
export interface SessionFilesParts extends ThisNode {
  /** The folder. */
  path: string;
  collector: Pick<Collector, "verify">;
  sessions: Sessions;
  policies: Policies;
  log: Logger;
}

/** One file, and what runs for it. */
interface SessionFile {
  readonly name: string;
  contents: Buffer | undefined;
  /** What it says, if that can be read. */
  declared: Declared | undefined;
  /** What runs, or ran: what it said when it was last good. */
  running: { declared: Declared; record: SessionRecord } | undefined;
  failing: string;
}

/**
 * Sessions that run because a file says so, as long as it does. A file that cannot be used leaves what runs alone: the last good session
 * stays until the file is right, or gone.
 */
export class SessionFiles {
  readonly #parts: SessionFilesParts;
  readonly #files = new Map<string, SessionFile>();
  readonly #folders: FolderWatch;
  readonly #timer: NodeJS.Timeout;
  #watched = "";
  #failing = "";
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(parts: SessionFilesParts) {
    this.#parts = parts;
    const again = (): void => void this.reload();
    this.#folders = new FolderWatch(again, (error) => {
      parts.log.warn(`${parts.path}: changes are noticed each ${retryMs / 1000} s only: ${reasonOf(error)}`);
    });
    this.#timer = setInterval(again, retryMs).unref();
  }

  /** Starts what is declared; what cannot be started does not hold up the rest. @throws ConfigError when the folder cannot be read */
  static async open(parts: SessionFilesParts): Promise<SessionFiles> {
    const files = new SessionFiles(parts);
    await files.reload();
    if (files.#failing === "") return files;
    await files.close();
    throw new ConfigError(files.#failing);
  }

  /** Reads the folder again, and brings what runs to what it says. Never rejects. */
  reload(): Promise<void> {
    this.#work = this.#work.then(() => this.#apply());
    return this.#work;
  }

  /** Each file, sorted by name. */
  status(): SessionFileStatus[] {
    return [...this.#files.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, running, failing }) => ({
        file: name,
        session: running?.record.name ?? "",
        failing: failing === "" && running?.record.state === SessionState.FAILED ? running.record.stateReason : failing,
      }));
  }

  /** Leaves what runs to whoever closes the sessions. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#folders.close();
    await this.#work;
  }

  async #apply(): Promise<void> {
    if (this.#closed) return;
    const { path, log } = this.#parts;
    try {
      let contents = await readFolder(path);
      // What changed before it was watched is noticed by reading it again.
      if (this.#watch(contents)) contents = await readFolder(path);
      const { files } = contents;
      if (this.#failing !== "") log.info(`${path}: can be read again`);
      this.#failing = "";
      for (const file of [...this.#files.values()]) {
        if (files.has(file.name)) continue;
        this.#files.delete(file.name);
        if (file.running !== undefined) await this.#end(file.running.record, `${file.name} is gone`);
      }
      for (const [name, contents] of files) await this.#applyFile(name, contents);
    } catch (error) {
      const failing = `${path}: ${reasonOf(error)}`;
      if (failing !== this.#failing) log.error({ err: error }, `${failing}; its sessions stay as they are`);
      this.#failing = failing;
    }
  }

  /** @returns whether these folders were not watched before */
  #watch({ watched, identity }: FolderContents): boolean {
    if (this.#watched === identity) return false;
    this.#watched = identity;
    this.#folders.watch(watched, (folder, name) => concerns(this.#parts.path, folder, name));
    return true;
  }

  async #applyFile(name: string, contents: Buffer | Error): Promise<void> {
    let file = this.#files.get(name);
    if (file === undefined) {
      file = { name, contents: undefined, declared: undefined, running: undefined, failing: "" };
      this.#files.set(name, file);
    }
    try {
      if (contents instanceof Error) throw new SessionFileError(`${name}:1: ${contents.message}`);
      const changed = file.contents?.equals(contents) !== true;
      if (changed) {
        file.declared = undefined;
        file.contents = contents;
        file.declared = await parseSession(name, contents);
      }
      const failed = file.failing !== "" || file.running?.record.state === SessionState.FAILED;
      if (file.declared === undefined || !(changed || failed)) return;
      await this.#bring(file, file.declared);
      if (file.failing !== "") this.#parts.log.info(`${name}: can be used again`);
      file.failing = "";
    } catch (error) {
      this.#failed(file, error);
    }
  }

  #failed(file: SessionFile, error: unknown): void {
    const { log, path } = this.#parts;
    const known = error instanceof SessionFileError;
    const failing = known ? error.message : `${file.name}: ${reasonOf(error)}`;
    if (failing === file.failing) return;
    file.failing = failing;
    const stays = file.running === undefined ? "" : "; the last good session stays";
    log.error(
      { path, file: file.name, session: file.running?.record.name, ...(known ? {} : { err: error }) },
      `${failing}${stays}`,
    );
  }

  /** Brings what runs for a file to what it says. */
  async #bring(file: SessionFile, declared: Declared): Promise<void> {
    const { running } = file;
    if (!selectNode(declared.spec.nodeSelector, this.#parts).selected) {
      file.running = undefined;
      if (running !== undefined) await this.#end(running.record, `${file.name} is for other hosts now`);
      return;
    }
    try {
      if (running?.record.running === true && sameFixedFields(running.declared.spec, declared.spec)) {
        await this.#turn(file, running.record, declared);
        file.running = { declared, record: running.record };
      } else {
        await this.#replace(file, declared);
      }
    } catch (error) {
      throw new SessionFileError(describe(file.name, declared.lineOf, error));
    }
  }

  async #turn({ name }: SessionFile, record: SessionRecord, declared: Declared): Promise<void> {
    const { sessions, log } = this.#parts;
    await record.lock.run(async () => {
      const same = isDeepStrictEqual(record.spec, declared.spec);
      await turnKnobs(sessions, record, declared, same ? undefined : (spec) => this.#grant(name, spec));
    });
    log.info({ session: record.name, file: name }, `${name}: changed, and in use now`);
  }

  /** Ends what ran for a file, if anything did, and starts what it says. What is refused before leaves what ran alone. */
  async #replace(file: SessionFile, declared: Declared): Promise<void> {
    const before = file.running;
    if (before?.record.running !== true) {
      if (before !== undefined) await this.#end(before.record, `${file.name} has another`);
      file.running = undefined;
      file.running = { declared, record: await this.#create(file, declared) };
      return;
    }
    const { spec, scope } = await this.#grant(file.name, declared.spec);
    await this.#parts.collector.verify(Buffer.from(SessionSpec.encode(spec).finish()), encodeScope(scope));
    await this.#end(before.record, `${file.name} says what takes a new session`);
    file.running = undefined;
    try {
      file.running = { declared, record: await this.#create(file, declared) };
    } catch (error) {
      file.running = { declared: before.declared, record: await this.#create(file, before.declared) };
      throw error;
    }
  }

  async #create({ name }: SessionFile, { id, displayName, labels, spec }: Declared): Promise<SessionRecord> {
    const { sessions } = this.#parts;
    const grant = await this.#grant(name, spec);
    return sessions.create({ id, owner: ownerOf(name), displayName, labels, spec, grant, unattended: true });
  }

  async #end(record: SessionRecord, why: string): Promise<void> {
    this.#parts.log.info({ session: record.name }, `${record.name} is taken away: ${why}`);
    await this.#parts.sessions.remove(record, StopReason.REQUESTED);
  }

  async #grant(name: string, spec: SessionSpec): Promise<Grant> {
    const owner = ownerOf(name);
    const principal = { kind: "file", name: owner, uris: [], dnsNames: [] } as const;
    const record = { method: "", peer: "", startedAt: Date.now() };
    return grantOf(spec, this.#parts.policies.authorityOf({ principal, method: "", record }), owner, "spec");
  }
}

function ownerOf(name: string): string {
  return `file:${name}`;
}

/** Whether what a session cannot change is the same in both. */
function sameFixedFields(one: SessionSpec, other: SessionSpec): boolean {
  const live = { filters: [], exclude: [], collection: undefined, limits: undefined };
  return isDeepStrictEqual({ ...one, ...live }, { ...other, ...live });
}
