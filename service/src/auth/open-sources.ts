import type { TlsListener } from "../config/listener.js";
import type { Logger } from "../log/logger.js";
import { jwtVerifier } from "./jwt.js";
import { Reloading, type ReloadingParts } from "./reloading.js";
import type { TlsSources } from "./tls-authenticator.js";
import { materialPaths, parseMaterial } from "./tls-material.js";
import { Tokens } from "./tokens.js";

/** Reads all that a TLS listener works with, and keeps watching it. Rejects, for a person to read, when a file cannot be used. */
export async function openSources(
  tls: TlsListener,
  where: string,
  log: Logger,
): Promise<TlsSources & { all: Reloading<unknown>[] }> {
  const all: Reloading<unknown>[] = [];
  const open = async <T>(
    what: string,
    paths: readonly string[],
    parse: ReloadingParts<T>["parse"],
  ): Promise<Reloading<T>> => {
    const reloading = await Reloading.open({ what: `${what} of ${where}`, paths, parse, log });
    all.push(reloading);
    return reloading;
  };
  const { tokenFile, jwt } = tls;
  try {
    const material = await open("TLS", materialPaths(tls), (contents) => parseMaterial(tls, contents));
    const tokens =
      tokenFile === undefined
        ? undefined
        : await open("tokens", [tokenFile], ([text]) => Tokens.parse(tokenFile, String(text)));
    const jwts =
      jwt === undefined
        ? undefined
        : await open("JWT keys", [jwt.keys], ([keys]) => jwtVerifier(jwt, keys ?? Buffer.alloc(0)));
    return { material, tokens, jwts, all };
  } catch (error) {
    for (const reloading of all) reloading.close();
    throw error;
  }
}
