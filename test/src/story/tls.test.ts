import { Authority, type Issued } from "@latscope/service/testing/authority";
import { createHash, randomBytes } from "node:crypto";
import { chmod, copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { beforeEach, describe, expect, test } from "vitest";

import { run, type Outcome } from "../harness/command.js";
import { Namespace } from "../harness/netns.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { LATSCOPE, Service, temporaryFolder } from "../harness/service.js";

const scope = scopeOfEachTest();
const token = randomBytes(32).toString("base64url");

let namespace: Namespace;
let service: Service;
let address: string;
let folder: string;
let authority: Authority;
let client: Issued;
let tokenFile: string;

beforeEach(async () => {
  folder = await temporaryFolder(scope);
  authority = await Authority.create(folder, "authority");
  const server = await authority.issue("server", "DNS:localhost,IP:127.0.0.1");
  client = await authority.issue("client", "URI:spiffe://example.org/tracer");
  tokenFile = join(folder, "token");
  await writeFile(tokenFile, `${token}\n`);
  await chmod(tokenFile, 0o600);
  const config = join(folder, "config.yaml");
  await writeFile(join(folder, "tokens"), `ci ${createHash("sha256").update(token).digest("hex")}\n`);
  const lines = [
    "listeners:",
    "  - listen: 127.0.0.1:0",
    `    tls-cert: ${server.cert}`,
    `    tls-key: ${server.key}`,
    `    client-ca: ${authority.cert}`,
    `    token-file: ${join(folder, "tokens")}`,
  ];
  await writeFile(config, lines.join("\n"));
  namespace = await Namespace.create(scope);
  service = await Service.start(scope, namespace, { flags: ["--config", config] });
  const line = await service.process.lineWhere((text) => text.includes("TLS; lets in by client certificates, tokens"));
  address = /listening on (\S+)/.exec(line)?.[1] ?? "";
});

const grpcurl = (flags: readonly string[], method: string): Promise<Outcome> =>
  run(namespace.wrap(["grpcurl", "-cacert", authority.cert, ...flags, address, method]));
const latscope = (args: readonly string[]): Promise<Outcome> => run(namespace.wrap([...LATSCOPE, ...args]));

describe("a TLS listener", () => {
  test("tells a stranger nothing but that it must know them, whatever is asked", async () => {
    for (const method of ["list", "latscope.v1.NodeService/GetStatus", "grpc.health.v1.Health/Check"]) {
      const { code, stdout, stderr } = await grpcurl([], method);
      expect([code === 0, stdout]).toEqual([false, ""]);
      expect(stderr).toContain("nothing tells who is calling");
    }
    const wrong = await grpcurl(["-H", `authorization: Bearer ${token}x`], "list");
    expect(wrong.stderr).toContain("the token is not accepted here");
    expect(service.process.stderr).not.toContain(token);
  });

  test("is used with the command, by certificate and by token, and says what is missing", async () => {
    const to = ["status", "--address", `https://${address}`];
    const trusting = ["--tls-ca", authority.cert];
    const [byCertificate, byToken, stranger, distrustful, plain] = await Promise.all([
      latscope([...to, ...trusting, "--tls-cert", client.cert, "--tls-key", client.key]),
      latscope([...to, ...trusting, "--token-file", tokenFile]),
      latscope([...to, ...trusting]),
      latscope(to),
      latscope(["status", "--address", address]),
    ]);
    // Who they are is known; that they may do nothing is the policy's word.
    expect(byCertificate.stderr).toContain(
      "PERMISSION_DENIED: no rule of the policy names spiffe://example.org/tracer",
    );
    expect(byToken.stderr).toContain("PERMISSION_DENIED: no rule of the policy names token:ci");
    expect(stranger.stderr).toContain(
      "UNAUTHENTICATED: nothing tells who is calling: a client certificate or a bearer token",
    );
    expect(distrustful.stderr).toContain("its certificate is of an authority that is not known here; --tls-ca");
    expect(plain.stderr).toContain("it may want TLS: --address https://HOST:PORT");
    expect([byCertificate, byToken, stranger, distrustful, plain].map(({ code }) => code)).toEqual([1, 1, 1, 1, 1]);
  });

  test("is used with grpcurl by certificate; SIGHUP makes it read its files again", async () => {
    const identity = ["-cert", client.cert, "-key", client.key];
    expect((await grpcurl(identity, "latscope.v1.NodeService/GetStatus")).stderr).toContain(
      "no rule of the policy names spiffe://example.org/tracer",
    );
    const other = await Authority.create(folder, "other");
    await copyFile(other.cert, authority.cert);
    service.process.kill("SIGHUP");
    await service.process.stderrHas("TLS of 127.0.0.1:0: changed, and in use now");
    const after = await run(namespace.wrap(["grpcurl", "-insecure", ...identity, address, "list"]));
    // Told which authorities are taken, it shows no certificate of another.
    expect(after.stderr).toContain("nothing tells who is calling");
  });
});
