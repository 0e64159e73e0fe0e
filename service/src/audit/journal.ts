import { access, constants } from "node:fs/promises";
import { toFailure } from "../failure/answer.js";
import type { LineSink } from "../output/line-queue.js";

/** Where systemd-journald takes entries. */
export const journalSocket = "/run/systemd/journal/socket";

/** Sends one entry in the journal's native form; throws where it cannot be delivered at once. */
export type SendToJournal = (socket: string, entry: Buffer) => void;

const informational = 6;

/** Lines as entries of the systemd journal: `journalctl -t latscope-audit`. */
export class Journal implements LineSink {
  readonly name = "the journal";
  readonly #socket: string;
  readonly #send: SendToJournal;

  constructor(send: SendToJournal, socket = journalSocket) {
    this.#send = send;
    this.#socket = socket;
  }

  async write(lines: readonly string[]): Promise<void> {
    await Promise.resolve();
    try {
      for (const line of lines) this.#send(this.#socket, entryOf(line));
    } catch (error) {
      throw toFailure(error) ?? error;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Whether this host has a journal. */
export async function journalIsThere(socket = journalSocket): Promise<boolean> {
  return access(socket, constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** Fields with their names, a line each: the lines of the audit have no newline within. */
function entryOf(line: string): Buffer {
  return Buffer.from(`MESSAGE=${line.trimEnd()}\nPRIORITY=${informational}\nSYSLOG_IDENTIFIER=latscope-audit\n`);
}
