import { SessionState as State, type SessionStateStatus } from "@latscope/proto";
import { reasonOf } from "../failure/reason-of.js";
import type { Logger } from "../log/logger.js";
import type { SessionRecord } from "../session/record.js";
import type { Sessions } from "../session/sessions.js";
import { fromText, toText, type Remembered } from "./remembered.js";
import { StateFile } from "./state-file.js";

const retryMs = 5000;

/** What the memory of sessions needs from the service. */
export interface SessionStateParts {
  /** The folder that it is kept in. */
  path: string;
  sessions: Sessions;
  log: Logger;
  /** Starts one again. Never rejects. */
  restore: (remembered: Remembered) => Promise<void>;
}

/**
 * Remembers the sessions that run, other than those of a stream or a file, across the end of the process, however it ends. What cannot
 * be written is told once, and tried again; the service goes on.
 */
export class SessionState {
  readonly #parts: SessionStateParts;
  readonly #file: StateFile;
  #unsubscribe: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #written = "";
  #failing = "";
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  #stale = false;
  #closed = false;

  private constructor(parts: SessionStateParts) {
    this.#parts = parts;
    this.#file = new StateFile(parts.path);
  }

  /** Brings back what ran, and remembers from now on. Never rejects. */
  static async open(parts: SessionStateParts): Promise<SessionState> {
    const state = new SessionState(parts);
    for (const remembered of await state.#read()) await parts.restore(remembered);
    const changed = (): void => {
      state.#changed();
    };
    state.#unsubscribe = parts.sessions.feed.subscribe(changed);
    changed();
    return state;
  }

  get status(): SessionStateStatus {
    return { path: this.#file.path, failing: this.#failing };
  }

  /** Remembers what runs at this moment, and nothing that happens from here on. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    clearTimeout(this.#timer);
    await this.#writing;
  }

  async #read(): Promise<Remembered[]> {
    const { log } = this.#parts;
    try {
      const text = await this.#file.read();
      if (text === undefined) return [];
      try {
        return fromText(text);
      } catch (error) {
        const aside = await this.#file.putAside();
        log.error(`${this.#file.path}: ${reasonOf(error)}; no session comes back, and the file is ${aside} now`);
      }
    } catch (error) {
      log.error({ err: error }, `${this.#file.path}: ${reasonOf(error)}; no session comes back`);
    }
    return [];
  }

  #changed(): void {
    this.#stale = true;
    if (this.#closed) return;
    clearTimeout(this.#timer);
    if (!this.#busy) this.#writing = this.#write();
  }

  /** Changes that come meanwhile are written together. */
  async #write(): Promise<void> {
    this.#busy = true;
    while (this.#stale) {
      this.#stale = false;
      const text = toText(this.#parts.sessions.all().filter(comesBack));
      if (text === this.#written && this.#failing === "") continue;
      try {
        await this.#file.write(text);
        this.#written = text;
        this.#told("");
      } catch (error) {
        this.#told(reasonOf(error));
        if (this.#closed) break;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          this.#changed();
        }, retryMs).unref();
      }
    }
    // In the same breath: a change from here on begins another.
    this.#busy = false;
  }

  #told(failing: string): void {
    const { path } = this.#file;
    const before = this.#failing;
    this.#failing = failing;
    if (failing !== "" && before === "") {
      this.#parts.log.error(`${path} cannot be written: ${failing}; what runs now does not come back until it can`);
    } else if (failing === "" && before !== "") {
      this.#parts.log.info(`${path} can be written again`);
    }
  }
}

function comesBack({ state, stream, principal }: SessionRecord): boolean {
  return [State.RUNNING, State.DEGRADED].includes(state) && stream === undefined && principal !== undefined;
}
