import { watch, type FSWatcher } from "node:fs";

/** Files are replaced one after the other; what is read between two of them does not fit together. */
const settleMs = 100;
/** Where something always changes it never settles. */
const longestMs = 1000;

/** Tells that something in folders has changed, once it has settled. It keeps no process alive. */
export class FolderWatch {
  readonly #settled: () => void;
  readonly #complain: (error: unknown) => void;
  readonly #watchers: FSWatcher[] = [];
  #settling: NodeJS.Timeout | undefined;
  #changingSince: number | undefined;

  /** @param complain told of each folder that cannot be watched */
  constructor(settled: () => void, complain: (error: unknown) => void) {
    this.#settled = settled;
    this.#complain = complain;
  }

  /** Watches these folders from now on, and no others. @param wanted the names of interest in a folder; default: all */
  watch(folders: Iterable<string>, wanted: (folder: string, name: string | null) => boolean = () => true): void {
    this.#unwatch();
    for (const folder of new Set(folders)) {
      try {
        const watcher = watch(folder, { persistent: false }, (_, name) => {
          if (wanted(folder, name)) this.#changed();
        });
        watcher.on("error", this.#complain);
        this.#watchers.push(watcher);
      } catch (error) {
        this.#complain(error);
      }
    }
  }

  close(): void {
    clearTimeout(this.#settling);
    this.#unwatch();
  }

  #changed(): void {
    const now = performance.now();
    this.#changingSince ??= now;
    clearTimeout(this.#settling);
    const wait = Math.min(settleMs, Math.max(0, this.#changingSince + longestMs - now));
    this.#settling = setTimeout(() => {
      this.#changingSince = undefined;
      this.#settled();
    }, wait).unref();
  }

  #unwatch(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
  }
}
