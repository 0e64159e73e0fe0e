import { Metric, type Sample } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { ALL_TCP } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { measure } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { stage } from "../harness/stage.js";
import { CLIENT, SERVER } from "../harness/topology.js";

function handshakes(samples: readonly Sample[]): [Metric, string][] {
  return samples
    .filter(({ metric }) => metric === Metric.TCP_HANDSHAKE_REMOTE || metric === Metric.TCP_HANDSHAKE_LOCAL)
    .map(({ metric, flow }) => [metric, flow?.interface ?? ""]);
}

describe("a session without interfaces", () => {
  const scope = scopeOfEachTest();

  test("watches all that are up, and each flow once: also loopback, which every packet passes twice", async () => {
    const { service, client, server } = await stage(scope);
    await server.listen(443);
    await client.listen(443);
    const { samples, totals } = await measure(service.client, ALL_TCP, async () => {
      await (await client.connect(SERVER.v4, 443)).close();
      await (await client.connect("127.0.0.1", 443)).close();
      // To an address of its own, which goes by loopback too.
      await (await client.connect(CLIENT.v6, 443)).close();
    });
    expect(handshakes(samples)).toEqual([
      [Metric.TCP_HANDSHAKE_REMOTE, CLIENT.interface],
      [Metric.TCP_HANDSHAKE_LOCAL, CLIENT.interface],
      [Metric.TCP_HANDSHAKE_REMOTE, "lo"],
      [Metric.TCP_HANDSHAKE_LOCAL, "lo"],
      [Metric.TCP_HANDSHAKE_REMOTE, "lo"],
      [Metric.TCP_HANDSHAKE_LOCAL, "lo"],
    ]);
    expect(totals.refusals).toEqual([]);
  });

  test("takes up an interface that appears later, and lets one go that disappears", async () => {
    const { network, service, client, server } = await stage(scope);
    await server.listen(443);
    const stream = await service.client.watch(ALL_TCP);
    await network.client.ip(`link del ${CLIENT.interface}`);
    await network.client.ip(
      `link add later0 type veth peer name ${SERVER.interface} netns ${network.server.name}`,
      `address add ${CLIENT.v4}/24 dev later0`,
      "link set later0 up",
    );
    await network.server.ip(`address add ${SERVER.v4}/24 dev ${SERVER.interface}`, `link set ${SERVER.interface} up`);
    // Nothing tells a client when the new interface is watched: that may be in the middle of a handshake, whose second half counts.
    await eventually("a flow of the new interface is seen", async () => {
      await (await client.connect(SERVER.v4, 443)).close();
      return handshakes(stream.samples).some(([metric]) => metric === Metric.TCP_HANDSHAKE_REMOTE);
    });
    expect(new Set(handshakes(stream.samples).map(([, at]) => at))).toEqual(new Set(["later0"]));
  });
});
