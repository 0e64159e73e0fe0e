import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

const name = "sessions.json";
/** More than 10 000 sessions of a usual size; see config/schema.ts. */
const maxBytes = 64 * 1024 * 1024;

/** One small file that is there whole or not at all, whenever the process or the host dies. */
export class StateFile {
  readonly path: string;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, name);
  }

  /** @returns undefined when nothing was written yet. Rejects when it cannot be read. */
  async read(): Promise<string | undefined> {
    try {
      return await readFile(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Rejects when it cannot be written; what was there before stays. */
  async write(text: string): Promise<void> {
    if (text.length > maxBytes) throw new Error(`would have ${text.length} bytes, at most ${maxBytes} are kept`);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const unfinished = `${this.path}.part`;
    try {
      const file = await open(unfinished, "w", 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(unfinished, this.path);
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => undefined);
      throw error;
    }
    // The new name, too, has to reach the disk.
    const folder = await open(this.#folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  /** Moves away what cannot be used, for a person to look at. @returns where it is now */
  async putAside(): Promise<string> {
    const aside = `${this.path}.broken`;
    await rename(this.path, aside);
    return aside;
  }
}
