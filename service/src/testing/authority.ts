import { execFile } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A certificate and its key, in files in PEM. */
export interface Issued {
  cert: string;
  key: string;
}

/** A certificate authority for tests, made with openssl. */
export class Authority implements Issued {
  readonly #folder: string;

  private constructor(
    folder: string,
    readonly name: string,
    readonly cert: string,
    readonly key: string,
  ) {
    this.#folder = folder;
  }

  static async create(folder: string, name: string): Promise<Authority> {
    const authority = new Authority(folder, name, join(folder, `${name}.crt`), join(folder, `${name}.key`));
    await request(authority, name, ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"], []);
    return authority;
  }

  /** @param san as openssl takes it: `DNS:localhost,IP:127.0.0.1`; none when empty */
  async issue(name: string, san: string): Promise<Issued> {
    const issued = { cert: join(this.#folder, `${name}.crt`), key: join(this.#folder, `${name}.key`) };
    const extensions = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"];
    const signed = ["-CA", this.cert, "-CAkey", this.key];
    await request(issued, name, san === "" ? extensions : [...extensions, `subjectAltName=${san}`], signed);
    return issued;
  }

  /** An authority below this one. */
  async below(name: string): Promise<Authority> {
    const authority = new Authority(
      this.#folder,
      name,
      join(this.#folder, `${name}.crt`),
      join(this.#folder, `${name}.key`),
    );
    const extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"];
    await request(authority, name, extensions, ["-CA", this.cert, "-CAkey", this.key]);
    return authority;
  }
}

async function request(
  { cert, key }: Issued,
  name: string,
  extensions: readonly string[],
  signed: readonly string[],
): Promise<void> {
  const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert];
  const added = extensions.flatMap((extension) => ["-addext", extension]);
  // Without a configuration of the host's, which may add extensions of its own.
  const bare = ["-config", "/dev/null", "-subj", `/CN=${name}`, "-days", "2"];
  await run("openssl", ["req", "-x509", ...fresh, ...bare, ...added, ...signed]);
}

/** Puts a certificate and its key where another pair is. */
export async function replace(at: Issued, by: Issued): Promise<void> {
  await copyFile(by.cert, at.cert);
  await copyFile(by.key, at.key);
}
