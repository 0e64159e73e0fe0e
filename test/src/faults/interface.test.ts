import { expect, test } from "vitest";

import { expectBalanced } from "../harness/books.js";
import { eventually } from "../harness/eventually.js";
import { stop } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { stage } from "../harness/stage.js";
import { CLIENT, SERVER } from "../harness/topology.js";
import { answering, connectOnce, HANDSHAKES } from "./witness.js";

const scope = scopeOfEachTest();

test("an interface that is deleted and made again by the same name is watched again, by the session that names it", async () => {
  const cast = await answering(await stage(scope));
  const { network, service } = cast;
  const { name } = await service.client.create(HANDSHAKES);
  const reader = service.client.stream({ session: name });
  await reader.started();
  const ports = [await connectOnce(cast)];
  await reader.take(1);
  await network.client.ip(`link del ${CLIENT.interface}`);
  await network.client.ip(
    `link add ${CLIENT.interface} type veth peer name ${SERVER.interface} netns ${network.server.name}`,
    `address add ${CLIENT.v4}/24 dev ${CLIENT.interface}`,
    `link set ${CLIENT.interface} up`,
  );
  await network.server.ip(`address add ${SERVER.v4}/24 dev ${SERVER.interface}`, `link set ${SERVER.interface} up`);
  // Nothing tells a client when the interface is watched again.
  await eventually("a flow of the new interface is seen", async () => {
    ports.push(await connectOnce(cast));
    return reader.samples.length > 1;
  });
  ports.push(await connectOnce(cast));
  await reader.take(1, ({ flow }) => flow?.clientPort === ports.at(-1));
  await stop(service.client, name);
  const { sessionTotals: totals } = await reader.ended();
  const seen = reader.samples.map(({ flow }) => flow?.clientPort ?? 0);
  expect(seen[0]).toBe(ports[0]);
  expect(seen.at(-1)).toBe(ports.at(-1));
  expect(seen).toEqual(ports.filter((port) => seen.includes(port)));
  expectBalanced(totals);
  expect(totals).toMatchObject({ delivered: BigInt(seen.length), inFlight: 0n, losses: [] });
});
