import { createServer, type Server as NetServer } from "node:net";
import { formatAddress } from "../config/listen.js";
import { ListenError } from "./listen-error.js";

/** The first descriptor that is passed, as sd_listen_fds(3) has it. */
const firstDescriptor = 3;

/** A socket that is listened on already, by whoever started the service. */
export interface Activated {
  server: NetServer;
  kind: "unix" | "tcp";
  /** `HOST:PORT`; of a unix socket that was passed Node cannot tell the path. */
  name: string;
}

/**
 * Takes the sockets that systemd passes (socket activation), and the variables that tell of them out of the environment: they are not
 * for children.
 *
 * @throws ListenError for one that cannot be listened on
 */
export async function takeActivated(environment: NodeJS.ProcessEnv, pid: number): Promise<Activated[]> {
  const { LISTEN_PID: forWhom, LISTEN_FDS: count } = environment;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) Reflect.deleteProperty(environment, name);
  if (forWhom !== String(pid)) return [];
  return Promise.all(Array.from({ length: Number(count) }, (_, index) => listenOn(firstDescriptor + index)));
}

function listenOn(fd: number): Promise<Activated> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      reject(new ListenError(`descriptor ${fd} was passed (LISTEN_FDS), but cannot be listened on: ${error.message}`));
    });
    server.listen({ fd }, () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) {
        resolve({ server, kind: "tcp", name: formatAddress({ host: address.address, port: address.port }) });
      } else {
        resolve({ server, kind: "unix", name: "a unix socket" });
      }
    });
  });
}
