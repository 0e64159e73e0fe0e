import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { output } from "../harness/command.js";
import { temporaryFolder } from "../harness/service.js";
import type { Scope } from "../harness/scope.js";

/** Everybody who calls, by name; a stranger proves nothing. */
export const names = ["stranger", "unknown", "viewer", "operator", "owner", "narrow", "admin"] as const;
export type Name = (typeof names)[number];

/** By what they prove who they are. */
export const kinds = ["certificate", "token"] as const;
export type Kind = (typeof kinds)[number];

/** What somebody has to prove it; all of it in files in PEM, but for the token. */
export interface Proof {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

/** Everybody, with what they prove it by, and what the service is told of them. */
export interface Cast {
  readonly flags: readonly string[];
  readonly proofs: Readonly<Record<Kind, Readonly<Record<Name, Proof>>>>;
}

const roles: Readonly<Partial<Record<Name, [role: string, targets: string]>>> = {
  viewer: ["viewer", "all"],
  operator: ["operator", "all"],
  owner: ["operator", "all"],
  narrow: ["operator", "{ cidrs: all, metrics: [dns_reply] }"],
  admin: ["admin", "all"],
};

/** Makes certificates and tokens, and a policy with a rule for each. */
export async function makeCast(scope: Scope): Promise<Cast> {
  const folder = await temporaryFolder(scope);
  const file = (name: string): string => join(folder, name);
  await certificate(file("ca"), ["basicConstraints=critical,CA:TRUE"], []);
  const signed = ["-CA", file("ca.crt"), "-CAkey", file("ca.key")];
  await certificate(file("server"), ["subjectAltName=DNS:localhost"], signed);
  const ca = file("ca.crt");
  const proofs: Record<Kind, Record<string, Proof>> = { certificate: {}, token: {} };
  const tokens: string[] = [];
  for (const name of names) {
    proofs.certificate[name] = proofs.token[name] = { ca };
    if (name === "stranger") continue;
    // One by a DNS name, the others by a SPIFFE URI.
    const alternative = name === "admin" ? "DNS:admin.example" : `URI:spiffe://latscope.test/${name}`;
    await certificate(file(name), [`subjectAltName=${alternative}`], signed);
    proofs.certificate[name] = { ca, cert: file(`${name}.crt`), key: file(`${name}.key`) };
    const token = randomBytes(24).toString("base64url");
    tokens.push(`${name} ${createHash("sha256").update(token).digest("hex")}`);
    proofs.token[name] = { ca, token };
  }
  const rules = Object.entries(roles).map(([name, [role, targets]]) => {
    const matcher = name === "admin" ? "dns: admin.example" : `uri: spiffe://latscope.test/${name}`;
    return `  - { name: ${name}, principals: [{ ${matcher} }, { subject: ${name} }], role: ${role}, targets: ${targets} }`;
  });
  await writeFile(file("policy.yaml"), ["rules:", ...rules, ""].join("\n"));
  await writeFile(file("tokens"), tokens.map((line) => `${line}\n`).join(""));
  const tls = ["--tls-cert", file("server.crt"), "--tls-key", file("server.key")];
  const proving = ["--client-ca", ca, "--token-file", file("tokens")];
  return {
    flags: [...tls, ...proving, "--policy", file("policy.yaml")],
    proofs: proofs as Cast["proofs"],
  };
}

async function certificate(path: string, extensions: readonly string[], signed: readonly string[]): Promise<void> {
  const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const files = ["-keyout", `${path}.key`, "-out", `${path}.crt`];
  const added = extensions.flatMap((extension) => ["-addext", extension]);
  // Without a configuration of the host's, which may add extensions of its own.
  const bare = ["-config", "/dev/null", "-subj", "/CN=latscope test", "-days", "2"];
  await output(["openssl", "req", "-x509", ...fresh, ...files, ...bare, ...added, ...signed]);
}
