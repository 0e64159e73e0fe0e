import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { Reloading } from "../auth/reloading.js";
import type { TlsMaterial } from "../auth/tls-material.js";

// A session taken up again would bring a certificate that nobody has checked against the authorities of today.
const secureOptions = constants.SSL_OP_NO_TICKET;

/**
 * Makes gRPC's side of TLS 1.3 of accepted connections. Clients without a certificate that is taken get through the handshake as well:
 * what they are told, they are told by gRPC.
 *
 * @param onSecure what to do with a connection whose handshake is done
 * @returns what to do with a connection that was accepted
 */
export function tlsAcceptor(
  material: Reloading<TlsMaterial>,
  onSecure: (socket: TLSSocket) => void,
): (socket: Socket) => void {
  const { context, authorities } = material.current;
  const server = createServer({
    ...context,
    secureOptions,
    ALPNProtocols: ["h2"],
    requestCert: authorities.length > 0,
    rejectUnauthorized: false,
  });
  server.on("secureConnection", (socket) => {
    // Whoever breaks off is gone: `close` follows.
    socket.on("error", () => undefined);
    if (socket.alpnProtocol === "h2") onSecure(socket);
    else socket.destroy();
  });
  material.subscribe(() => {
    server.setSecureContext({ ...material.current.context, secureOptions });
  });
  return (socket) => server.emit("connection", socket);
}
