import { createServer, type AddressInfo, type Server as NetServer, type Socket } from "node:net";
import { formatAddress, type ListenAddress } from "../config/listen.js";
import { ListenError } from "./listen-error.js";

/** Listens on TCP. @returns the server, and the address with the port that it got @throws ListenError */
export function listenTcp(
  address: ListenAddress,
  onConnection: (socket: Socket) => void,
): Promise<{ server: NetServer; address: ListenAddress }> {
  const server = createServer(onConnection);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      reject(new ListenError(`cannot listen on ${formatAddress(address)}: ${error.message}`));
    });
    server.listen(address, () => {
      const { port } = server.address() as AddressInfo;
      resolve({ server, address: { host: address.host, port } });
    });
  });
}
