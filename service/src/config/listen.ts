import { isIP } from "node:net";
import { z } from "zod";

/** A TCP address to listen on. */
export interface ListenAddress {
  host: string;
  port: number;
}

/** `HOST:PORT`; an IPv6 host in brackets; port 0 lets the kernel choose. */
export const listenAddress = z.string().transform((text, context): ListenAddress => {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535 || (bracketed !== undefined && isIP(bracketed) !== 6)) {
    context.addIssue({
      code: "custom",
      message: `"${text}" is not HOST:PORT (port 0 to 65535, an IPv6 host in brackets)`,
    });
    return z.NEVER;
  }
  // What a name stands for is somebody else's choice, so the one name that is allowed gets its meaning here.
  return { host: host === "localhost" ? "127.0.0.1" : host, port: Number(port) };
});

/** Whether a literal address is one of this host's own. */
export function isLoopback(host: string): boolean {
  return host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** The address as a client writes it. */
export function formatAddress({ host, port }: ListenAddress): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
