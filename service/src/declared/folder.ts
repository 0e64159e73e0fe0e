import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const endings = /^[^.].*\.(?:yaml|yml|json)$/;

/** What is in a folder of sessions at one moment. */
export interface FolderContents {
  /** By name of the file, sorted; an error for one that cannot be read. */
  readonly files: ReadonlyMap<string, Buffer | Error>;
  /** The folders in which a change may be one of these. */
  readonly watched: readonly string[];
  /** Changes when any of those is another: one that was put in the place of one that was moved away has the same path. */
  readonly identity: string;
}

/** Reads a folder of sessions: `*.yaml`, `*.yml`, `*.json`, none that begins with a dot. Rejects when the folder cannot be read. */
export async function readFolder(path: string): Promise<FolderContents> {
  const names = (await readdir(path)).filter((name) => endings.test(name)).sort();
  const files = new Map<string, Buffer | Error>();
  // A link may lead elsewhere, and be replaced there; so may the folder itself.
  const watched = [path, await realpath(path), dirname(path)];
  for (const name of names) {
    const file = join(path, name);
    try {
      files.set(name, await readFile(file));
      watched.push(dirname(await realpath(file)));
    } catch (error) {
      // Gone since the folder was read.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
      files.set(name, error instanceof Error ? error : new Error(String(error)));
    }
  }
  const folders = [...new Set(watched)];
  const inodes = await Promise.all(folders.map(async (folder) => (await stat(folder)).ino));
  return { files, watched: folders, identity: JSON.stringify([folders, inodes]) };
}

/** Whether a change in a watched folder may be one of the folder of sessions at `path`. */
export function concerns(path: string, folder: string, name: string | null): boolean {
  return folder !== dirname(path) || name === null || name === basename(path);
}
