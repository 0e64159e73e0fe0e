import type { Addon } from "../addon/open.js";
import type { Config } from "../config/schema.js";
import { socketGroup } from "./unix-socket.js";

const firstUnprivilegedPort = 1024;

/**
 * Gives up every capability that neither a metric nor a listener needs. Where there are some to give up the program is run again in
 * place of itself, and this does not return. To be called before anything is open.
 *
 * @throws ListenError for a group that is not there
 */
export async function dropPrivileges(addon: Addon, config: Config): Promise<void> {
  const group = process.getuid?.() === 0 ? (await socketGroup(config.socketGroup)).gid : undefined;
  addon.dropPrivileges(capabilitiesToListen(config), group);
}

/** What listening as configured needs. */
export function capabilitiesToListen({
  listeners,
  healthListen,
}: Pick<Config, "listeners" | "healthListen">): string[] {
  const ports = [...listeners.map(({ address }) => address.port), healthListen?.port];
  const low = ports.some((port) => port !== undefined && port > 0 && port < firstUnprivilegedPort);
  return low ? ["CAP_NET_BIND_SERVICE"] : [];
}
