import { Authority } from "@latscope/service/testing/authority";
import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { bpfObjectsOf } from "../harness/bpf.js";
import { Endpoint } from "../harness/endpoint.js";
import { eventually } from "../harness/eventually.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service, temporaryFolder } from "../harness/service.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";
import { answering, HANDSHAKES, Witness } from "./witness.js";

/** Of the keepalive: a ping every 10 s, and as long for its answer. */
const KEEPALIVE_MS = 20_000;
/** For what a loaded machine adds. */
const GRACE_MS = 10_000;

const scope = scopeOfEachTest();

async function streams({ client }: Service): Promise<number> {
  return (await client.status()).streams;
}

test("a client whose host goes without a word is noticed by the keepalive, and its session ends", async () => {
  const network = await direct(scope);
  const folder = await temporaryFolder(scope);
  const authority = await Authority.create(folder, "authority");
  const { cert, key } = await authority.issue("server", `IP:${CLIENT.v4}`);
  const token = randomBytes(32).toString("base64url");
  const files = { tokens: join(folder, "tokens"), policy: join(folder, "policy.yaml") };
  await writeFile(files.tokens, `far ${createHash("sha256").update(token).digest("hex")}\n`);
  await writeFile(
    files.policy,
    "rules: [{ name: all, principals: [{ uid: 0 }, { subject: far }], role: admin, targets: all }]\n",
  );
  const address = `${CLIENT.v4}:4317`;
  const listen = ["--listen", address, "--tls-cert", cert, "--tls-key", key, "--token-file", files.tokens];
  const service = await Service.start(scope, network.client, { flags: [...listen, "--policy", files.policy] });
  const request = JSON.stringify({ spec: HANDSHAKES });
  const trusting = ["-cacert", authority.cert, "-H", `authorization: Bearer ${token}`, "-d", request];
  const far = network.server.start(scope, ["grpcurl", ...trusting, address, "latscope.v1.SampleService/StreamSamples"]);
  const links = async (): Promise<number> => (await bpfObjectsOf(service.process.pid)).links.length;
  await eventually("the far client's session is attached", async () => (await links()) === 2);
  expect(await streams(service)).toBe(1);

  await network.server.ip(`link set ${SERVER.interface} down`);
  await eventually("the stream is let go", async () => (await streams(service)) === 0, KEEPALIVE_MS + GRACE_MS);
  await eventually("nothing is attached", async () => (await links()) === 0);
  far.kill("SIGKILL");

  // The way is there again, for others.
  await network.server.ip(`link set ${SERVER.interface} up`);
  const cast = {
    network,
    service,
    client: await Endpoint.start(scope, network.client),
    server: await Endpoint.start(scope, network.server),
  };
  const witness = await Witness.start(await answering(cast));
  await witness.sees();
  await witness.settle();
});
