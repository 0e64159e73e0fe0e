import { EndReason } from "@latscope/proto";
import type { ReaderHandle } from "../addon/types.js";
import type { Meter } from "../quota/meter.js";
import type { Outgoing } from "../rpc/outgoing.js";

/**
 * Pulls messages out of a reader and sends them on, as bytes, as fast as the client takes them and its quota lets it. When the
 * service drains, or the caller may no longer read, the reader ends with a word about it; when the client is gone, at once.
 *
 * @returns whether the stream came to its End message
 */
export async function pump(
  reader: ReaderHandle,
  outgoing: Outgoing<Buffer>,
  { draining, revoked }: { draining: AbortSignal; revoked: AbortSignal },
  meter: Meter,
): Promise<boolean> {
  const drain = (): void => {
    meter.cut();
    reader.end(EndReason.DRAINING);
  };
  const revoke = (): void => {
    meter.cut();
    reader.end(EndReason.ACCESS_REVOKED);
  };
  const leave = (): void => {
    meter.cut();
    reader.close();
  };
  outgoing.signal.addEventListener("abort", leave);
  draining.addEventListener("abort", drain);
  revoked.addEventListener("abort", revoke);
  try {
    if (revoked.aborted) revoke();
    if (draining.aborted) drain();
    for (;;) {
      const message = await reader.next();
      if (message === null) return !outgoing.signal.aborted;
      meter.sent(message);
      if (!(await outgoing.write(message))) return false;
      await meter.ready();
    }
  } finally {
    draining.removeEventListener("abort", drain);
    revoked.removeEventListener("abort", revoke);
    outgoing.signal.removeEventListener("abort", leave);
    reader.close();
  }
}
