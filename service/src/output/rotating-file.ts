import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { LineSink } from "./line-queue.js";

export interface RotatingFileOptions {
  path: string;
  /** A file that would grow beyond it is put aside; one batch of lines may still be longer. */
  maxBytes: number;
  /** How many files that were put aside are kept: `PATH.1` is the youngest. */
  keep: number;
  /** Whether they are compressed: `PATH.1.gz`. */
  compress: boolean;
  /** Permissions of a new file. */
  mode: number;
}

const newline = 10;

/**
 * A file of lines that is put aside when it is full. It survives a full disk (what was written of a batch is taken back) and other
 * programs that move it away (the next batch begins a new one).
 */
export class RotatingFile implements LineSink {
  readonly name: string;
  readonly #options: RotatingFileOptions;
  #file: { handle: FileHandle; inode: number; size: number } | undefined;
  #compressing: Promise<void> = Promise.resolve();

  constructor(options: RotatingFileOptions) {
    this.#options = options;
    this.name = `the file ${options.path}`;
  }

  async write(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(lines.join(""));
    let file = await this.#current();
    if (file.size > 0 && file.size + bytes.length > this.#options.maxBytes) {
      await this.#rotate();
      file = await this.#current();
    }
    try {
      await file.handle.appendFile(bytes);
      file.size += bytes.length;
    } catch (error) {
      await file.handle.truncate(file.size).catch(() => undefined);
      await this.#letGo();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#letGo();
    await this.#compressing;
  }

  /** The file that is at the path now. */
  async #current(): Promise<{ handle: FileHandle; inode: number; size: number }> {
    const { path, mode } = this.#options;
    if (this.#file !== undefined) {
      const there = await stat(path).catch(() => undefined);
      if (there?.ino === this.#file.inode) return this.#file;
      await this.#letGo();
    }
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    const handle = await open(path, "a+", mode);
    try {
      const { ino, size } = await handle.stat();
      this.#file = { handle, inode: ino, size };
      // A process that was killed may have left half a line.
      if (size > 0 && (await lastByte(handle, size)) !== newline) {
        await handle.appendFile("\n");
        this.#file.size += 1;
      }
      return this.#file;
    } catch (error) {
      this.#file = undefined;
      await handle.close();
      throw error;
    }
  }

  async #letGo(): Promise<void> {
    const handle = this.#file?.handle;
    this.#file = undefined;
    await handle?.close().catch(() => undefined);
  }

  async #rotate(): Promise<void> {
    const { path, keep, compress } = this.#options;
    await this.#compressing;
    await this.#letGo();
    if (keep === 0) {
      await rm(path, { force: true });
      return;
    }
    for (const suffix of ["", ".gz"]) await rm(`${path}.${keep}${suffix}`, { force: true });
    for (let at = keep - 1; at >= 1; at -= 1) {
      for (const suffix of ["", ".gz"]) await renameIfThere(`${path}.${at}${suffix}`, `${path}.${at + 1}${suffix}`);
    }
    await rename(path, `${path}.1`);
    // Lines need not wait for it. What cannot be compressed stays as it is.
    if (compress) this.#compressing = gzip(`${path}.1`).catch(() => undefined);
  }
}

async function lastByte(handle: FileHandle, size: number): Promise<number | undefined> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0];
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  });
}

async function gzip(path: string): Promise<void> {
  const unfinished = `${path}.gz.part`;
  try {
    const { mode } = await stat(path);
    await pipeline(createReadStream(path), createGzip(), createWriteStream(unfinished, { mode: mode & 0o777 }));
    await rename(unfinished, `${path}.gz`);
    await rm(path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
