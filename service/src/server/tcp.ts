import { ServerCredentials, type Server } from "@grpc/grpc-js";
import { formatAddress, type ListenAddress } from "../config/listen.js";
import { ListenError } from "./unix-socket.js";

/** Listens on TCP. @returns the address with the port that it got @throws ListenError */
export function listenTcp(server: Server, address: ListenAddress): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    server.bindAsync(formatAddress(address), ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve({ host: address.host, port });
      else reject(new ListenError(`cannot listen on ${formatAddress(address)}: ${error.message}`));
    });
  });
}
