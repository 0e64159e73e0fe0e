import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { TlsListener } from "../config/listener.js";

/** What a TLS listener works with. */
export interface TlsMaterial {
  context: SecureContextOptions;
  /** Whose client certificates are let in. */
  authorities: readonly X509Certificate[];
}

/** The files that a listener's material is made of, in the order in which `parseMaterial` takes them. */
export function materialPaths({ cert, key, clientCa }: TlsListener): string[] {
  return [cert, key, ...(clientCa === undefined ? [] : [clientCa])];
}

/** @throws Error naming the file that cannot be used */
export function parseMaterial(tls: TlsListener, [cert, key, ca]: readonly Buffer[]): TlsMaterial {
  const authorities = tls.clientCa === undefined || ca === undefined ? [] : certificatesOf(tls.clientCa, ca);
  certificatesOf(tls.cert, cert ?? Buffer.alloc(0));
  const context: SecureContextOptions = {
    minVersion: "TLSv1.3",
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    // Without authorities of its own Node would take those of the web.
    ca: authorities.map((authority) => authority.toString()),
  };
  try {
    createSecureContext(context);
  } catch (cause) {
    throw new Error(`${tls.cert} and ${tls.key} are no certificate and its key: ${(cause as Error).message}`, {
      cause,
    });
  }
  return { context, authorities };
}

function certificatesOf(path: string, pem: Buffer): X509Certificate[] {
  const blocks = pem.toString().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${path}: has no certificate in PEM`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new Error(`${path}: has what is no certificate: ${(cause as Error).message}`, { cause });
  }
}
