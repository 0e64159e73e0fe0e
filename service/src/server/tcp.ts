import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import { formatAddress, type ListenAddress } from "../config/listen.js";
import { ListenError } from "./listen-error.js";

/** Lets a server listen on TCP. @returns the address, with the port that it got @throws ListenError */
export function listenTcp(server: NetServer, address: ListenAddress): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      reject(new ListenError(`cannot listen on ${formatAddress(address)}: ${error.message}`));
    });
    server.listen(address, () => {
      const { port } = server.address() as AddressInfo;
      resolve({ host: address.host, port });
    });
  });
}

/** Where a connection comes from, as `HOST:PORT`; no two of a listener have the same. */
export function addressOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return formatAddress({ host: remoteAddress, port: remotePort });
}
