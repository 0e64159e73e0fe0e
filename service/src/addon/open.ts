import { reasonOf } from "../failure/reason-of.js";
import type { Collector, CollectorOptions, PeerOf } from "./types.js";

/** What the native addon exports to the service. */
export interface Addon {
  Collector: { open(options: CollectorOptions): Collector };
  peerOf: PeerOf;
  /** Sends an entry in the systemd journal's native form; throws where it cannot be delivered at once. */
  sendToJournal: (socket: string, entry: Buffer) => void;
  /** Gives memory back to the host that was freed and kept. */
  giveMemoryBack: () => void;
  /**
   * Gives up every capability but those of the metrics and these. Returns when there is nothing to give up; else the program is run again
   * in place of itself.
   */
  dropPrivileges: (also: string[], socketGroup?: number) => void;
  /** Sends assignments of sd_notify(3); throws where they cannot be delivered at once. */
  notifySupervisor: (socket: string, assignments: string) => void;
}

/** The native addon cannot be loaded; the message says why, for a person. */
export class AddonError extends Error {
  override readonly name = "AddonError";
}

/** Loads the native addon. @throws AddonError */
export async function loadAddon(): Promise<Addon> {
  try {
    return await import("@latscope/addon");
  } catch (cause) {
    const why = reasonOf(cause);
    throw new AddonError(`the native addon cannot be loaded (npm run build makes it): ${why}`, { cause });
  }
}
