import { Authority, replace } from "@latscope/service/testing/authority";
import { createHash, randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { Endpoint } from "../harness/endpoint.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service, temporaryFolder } from "../harness/service.js";
import { direct } from "../harness/topology.js";
import { answering, Witness } from "./witness.js";

const GOOD = "rules: [{ name: root, principals: [{ uid: 0 }], role: admin, targets: all }]\n";

const scope = scopeOfEachTest();

test("a policy and a certificate that break are told at each reload, and the last good ones stay; streams go on", async () => {
  const network = await direct(scope);
  const folder = await temporaryFolder(scope);
  const authority = await Authority.create(folder, "authority");
  const server = await authority.issue("server", "IP:127.0.0.1");
  const other = await authority.issue("other", "IP:127.0.0.1");
  const policy = join(folder, "policy.yaml");
  const tokens = join(folder, "tokens");
  await writeFile(policy, GOOD);
  await writeFile(tokens, `ci ${createHash("sha256").update(randomBytes(32)).digest("hex")}\n`);
  const tls = ["--tls-cert", server.cert, "--tls-key", server.key, "--token-file", tokens];
  const flags = ["--listen", "127.0.0.1:4317", ...tls, "--policy", policy];
  const [service, client, far] = await Promise.all([
    Service.start(scope, network.client, { flags }),
    Endpoint.start(scope, network.client),
    Endpoint.start(scope, network.server),
  ]);
  const { process } = service;
  const witness = await Witness.start(await answering({ network, service, client, server: far }));
  await witness.sees();
  /** So often the log says that something could not be used. */
  const complaints = (what: string): number =>
    process.stderr.split("\n").filter((line) => line.includes(what) && line.includes("the last good one stays")).length;

  await writeFile(policy, "rules: [{ name: root");
  process.kill("SIGHUP");
  await process.stderrHas("the last good one stays");
  await witness.sees();
  await service.client.create({ probes: [{ socket: {} }] });

  await writeFile(server.cert, "no certificate");
  process.kill("SIGHUP");
  await process.stderrHas("TLS of 127.0.0.1:4317: changed, but cannot be used; the last good one stays");
  await rm(policy);
  process.kill("SIGHUP");
  await process.stderrHas("ENOENT");
  await witness.sees();
  expect(complaints("policy")).toBeGreaterThanOrEqual(2);

  await writeFile(policy, `# mended\n${GOOD}`);
  await replace(server, other);
  process.kill("SIGHUP");
  await process.stderrHas("TLS of 127.0.0.1:4317: changed, and in use now");
  await witness.sees();
  await witness.settle();
});
