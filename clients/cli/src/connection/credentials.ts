import { credentials, type ChannelCredentials } from "@grpc/grpc-js";
import { tls } from "@latscope/client";
import { Option, type Command } from "commander";
import { readFile } from "node:fs/promises";
import { UsageError } from "../spec/usage.js";
import type { Address } from "./address.js";

/** The flags of a connection over TLS, each with a file. */
export interface TlsFlags {
  tlsCa?: string;
  tlsCert?: string;
  tlsKey?: string;
  tokenFile?: string;
}

const flags = {
  tlsCa: ["--tls-ca <file>", "who must have signed the service's certificate, in PEM"],
  tlsCert: ["--tls-cert <file>", "the certificate to show, with its chain, in PEM"],
  tlsKey: ["--tls-key <file>", "the key of that certificate"],
  tokenFile: ["--token-file <file>", "the bearer token to show"],
} as const;

/** Adds the flags that say whom to trust and how to show who one is. */
export function addTlsFlags(command: Command): void {
  for (const [flag, description] of Object.values(flags)) command.addOption(new Option(flag, description));
}

/** The names of those flags. */
export const tlsFlagNames = Object.keys(flags) as (keyof TlsFlags)[];

/** What a connection is made with: TLS for https:// and wherever one of the flags is given. @throws UsageError */
export async function credentialsFor({ target, tls: asked }: Address, given: TlsFlags): Promise<ChannelCredentials> {
  const [first] = tlsFlagNames.filter((name) => given[name] !== undefined);
  if (first === undefined && asked !== true) return credentials.createInsecure();
  if (first !== undefined && target.startsWith("unix:")) {
    throw new UsageError(`${nameOf(first)} is for TCP; over the unix socket the service sees whose process calls`);
  }
  const { tlsCert, tlsKey, tokenFile } = given;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw new UsageError("--tls-cert and --tls-key go together");
  const [ca, cert, key] = await Promise.all([read("tlsCa", given), read("tlsCert", given), read("tlsKey", given)]);
  await read("tokenFile", given);
  try {
    return tls({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      // Whoever renews a token does it in place.
      ...(tokenFile === undefined ? {} : { token: async () => (await readFile(tokenFile, "utf8")).trim() }),
    });
  } catch (error) {
    throw new UsageError(
      `--tls-ca, --tls-cert, --tls-key: no certificates and key in PEM: ${(error as Error).message}`,
    );
  }
}

async function read(name: keyof TlsFlags, given: TlsFlags): Promise<Buffer | undefined> {
  const path = given[name];
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageError(`${nameOf(name)}: ${(error as Error).message}`);
  }
}

function nameOf(name: keyof TlsFlags): string {
  return flags[name][0].split(" ", 1)[0] ?? name;
}
