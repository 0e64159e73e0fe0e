import { readFile, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf } from "../failure/reason-of.js";
import type { Logger } from "../log/logger.js";
import { FolderWatch } from "./folder-watch.js";

/** What is read, and from where. */
export interface ReloadingParts<T> {
  /** For the log: `certificate of 0.0.0.0:4317`. */
  what: string;
  paths: readonly string[];
  /** Makes it of the files' contents, in the order of the paths. Whatever it throws is for a person to read. */
  parse: (contents: readonly Buffer[]) => T | Promise<T>;
  log: Logger;
}

/** Something that is read from files, and read again when they change: what cannot be used is told in the log, and the last good one stays. */
export class Reloading<T> {
  readonly #parts: ReloadingParts<T>;
  readonly #listeners = new Set<() => void>();
  readonly #folders: FolderWatch;
  #contents: readonly Buffer[];
  #current: T;
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(parts: ReloadingParts<T>, contents: readonly Buffer[], current: T) {
    this.#parts = parts;
    this.#contents = contents;
    this.#current = current;
    this.#folders = new FolderWatch(
      () => void this.reload(),
      (error) => {
        parts.log.warn(`${parts.what}: changes are noticed at SIGHUP only: ${reasonOf(error)}`);
      },
    );
  }

  /** Rejects when it cannot be read, or used, the first time. */
  static async open<T>(parts: ReloadingParts<T>): Promise<Reloading<T>> {
    const contents = await readAll(parts.paths);
    const reloading = new Reloading(parts, contents, await parts.parse(contents));
    await reloading.#watch();
    return reloading;
  }

  /** The last good one. */
  get current(): T {
    return this.#current;
  }

  /** Calls the listener after each change of `current`. */
  subscribe(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Reads the files again. Never rejects. */
  reload(): Promise<void> {
    this.#work = this.#work.then(() => this.#readAgain());
    return this.#work;
  }

  close(): void {
    this.#closed = true;
    this.#folders.close();
  }

  async #readAgain(): Promise<void> {
    if (this.#closed) return;
    const { what, paths, parse, log } = this.#parts;
    try {
      const contents = await readAll(paths);
      if (contents.every((content, index) => this.#contents[index]?.equals(content))) return;
      this.#current = await parse(contents);
      this.#contents = contents;
      log.info({ paths }, `${what}: changed, and in use now`);
      for (const listener of this.#listeners) listener();
    } catch (error) {
      log.error({ paths }, `${what}: changed, but cannot be used; the last good one stays: ${reasonOf(error)}`);
    } finally {
      // What a link leads to may be elsewhere now.
      await this.#watch();
    }
  }

  /** Watches folders: a file that is replaced is another file, and one behind a link changes where it is. */
  async #watch(): Promise<void> {
    const real = await Promise.all(this.#parts.paths.map((path) => realpath(path).catch(() => path)));
    if (this.#closed) return;
    this.#folders.watch([...this.#parts.paths, ...real].map((path) => dirname(path)));
  }
}

async function readAll(paths: readonly string[]): Promise<Buffer[]> {
  return Promise.all(paths.map((path) => readFile(path)));
}
