import { Metric } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { ALL_TCP } from "../harness/client.js";
import { Endpoint } from "../harness/endpoint.js";
import { eventually } from "../harness/eventually.js";
import type { Namespace } from "../harness/netns.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { foreignState, installForeignDrop, qdiscKinds, type ForeignDrop } from "../harness/tc.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";

const DROPPED = 81;
const OPEN = 80;
const SPEC = { ...ALL_TCP, interfaces: [CLIENT.interface] };

/** Tries the dropped port until one more SYN was dropped, and the open port; both must go as the filter says. */
async function dropsStill(scope: Scope, drop: ForeignDrop, client: Endpoint): Promise<void> {
  const before = await foreignState(drop);
  const attempt = knock(scope, drop.namespace);
  await eventually("a SYN is dropped", async () => (await foreignState(drop)).drops > before.drops);
  attempt.kill("SIGKILL");
  const connection = await client.connect(SERVER.v4, OPEN);
  await connection.echo(1_000);
  await connection.close();
  const after = await foreignState(drop);
  expect(after.packets).toBeGreaterThan(before.packets);
  expect(after.filters).toEqual(before.filters);
}

function knock(scope: Scope, namespace: Namespace): ReturnType<Namespace["start"]> {
  return namespace.start(scope, ["bash", "-c", `: < /dev/tcp/${SERVER.v4}/${DROPPED}`]);
}

describe("another tool's clsact qdisc and drop filter", () => {
  const scope = scopeOfEachTest();

  test("work before, during and after a session", async () => {
    const network = await direct(scope);
    const drop = { namespace: network.client, interface: CLIENT.interface, port: DROPPED };
    const [client, server] = await Promise.all([
      Endpoint.start(scope, network.client),
      Endpoint.start(scope, network.server),
    ]);
    await server.listen(OPEN);
    await server.listen(DROPPED);
    await installForeignDrop(drop);
    await dropsStill(scope, drop, client);
    const service = await Service.start(scope, network.client);
    await dropsStill(scope, drop, client);
    const stream = await service.client.watch(SPEC);
    await dropsStill(scope, drop, client);
    const [remote] = await stream.take(1, (sample) => sample.metric === Metric.TCP_HANDSHAKE_REMOTE);
    expect(remote?.flow?.serverPort).toBe(OPEN);
    stream.cancel();
    await dropsStill(scope, drop, client);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    await dropsStill(scope, drop, client);
    expect(await qdiscKinds(network.client, CLIENT.interface)).toEqual(["noqueue", "clsact"]);
  });

  test("come while a session runs, and outlive a service that is killed", async () => {
    const network = await direct(scope);
    const drop = { namespace: network.client, interface: CLIENT.interface, port: DROPPED };
    const { service, client, server } = await stage(scope, network);
    await server.listen(OPEN);
    await server.listen(DROPPED);
    const stream = await service.client.watch(SPEC);
    await installForeignDrop(drop);
    await dropsStill(scope, drop, client);
    await stream.take(1, (sample) => sample.metric === Metric.TCP_HANDSHAKE_REMOTE);
    service.process.kill("SIGKILL");
    await service.process.exit;
    await dropsStill(scope, drop, client);
    // A new service clears up what the killed one left, and only that.
    const next = await Service.start(scope, network.client);
    await dropsStill(scope, drop, client);
    expect(await next.stop()).toEqual({ code: 0, signal: null });
    await dropsStill(scope, drop, client);
  });
});
