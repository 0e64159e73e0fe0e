import { credentials, Metadata, type ChannelCredentials } from "@grpc/grpc-js";

/** Whom to trust, and how to show who one is. */
export interface TlsOptions {
  /** Who must have signed the service's certificate, in PEM; default: the authorities that Node knows. */
  readonly ca?: Buffer;
  /** The client's own certificate with its chain, in PEM; together with `key`. */
  readonly cert?: Buffer;
  /** The key of `cert`, in PEM. */
  readonly key?: Buffer;
  /** A bearer token. A function is asked for it at each call: tokens that are renewed are taken up. */
  readonly token?: string | (() => string | Promise<string>);
}

/**
 * Credentials for `connect` to a TLS listener.
 *
 * @throws Error for what is no certificate, or no key of it
 */
export function tls({ ca, cert, key, token }: TlsOptions = {}): ChannelCredentials {
  const channel = credentials.createSsl(ca, key, cert);
  if (token === undefined) return channel;
  const bearer = credentials.createFromMetadataGenerator((_options, done) => {
    const metadata = new Metadata();
    Promise.resolve(typeof token === "string" ? token : token()).then(
      (text) => {
        metadata.set("authorization", `Bearer ${text}`);
        done(null, metadata);
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
  return credentials.combineChannelCredentials(channel, bearer);
}
