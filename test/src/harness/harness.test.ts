import { describe, expect, test } from "vitest";

import { tcpCounter } from "./counters.js";
import { Endpoint } from "./endpoint.js";
import { eventually } from "./eventually.js";
import { Injector, WIRE } from "./injector.js";
import { scopeOfEachTest, type Scope } from "./scope.js";
import { foreignState, installForeignDrop } from "./tc.js";
import { CLIENT, direct, relayed, SERVER, type Network } from "./topology.js";

async function endpoints(scope: Scope, network: Network): Promise<[Endpoint, Endpoint]> {
  return Promise.all([Endpoint.start(scope, network.client), Endpoint.start(scope, network.server)]);
}

/** Milliseconds of each echo of one byte. */
async function echoTimes(client: Endpoint, host: string, port: number, times: number): Promise<number[]> {
  const connection = await client.connect(host, port);
  const taken: number[] = [];
  for (let n = 0; n < times; n++) {
    const start = performance.now();
    await connection.echo(1);
    taken.push(performance.now() - start);
  }
  await connection.close();
  return taken;
}

describe("the delaying relay", () => {
  const scope = scopeOfEachTest();

  test.each([
    ["IPv4", SERVER.v4],
    ["IPv6", SERVER.v6],
  ])("%s: nothing comes back before the delay of both ways", async (_, address) => {
    const network = await relayed(scope, { delay: "20ms", delayBack: "10ms" });
    const [client, server] = await endpoints(scope, network);
    const taken = await echoTimes(client, address, await server.listen(), 10);
    expect(Math.min(...taken)).toBeGreaterThanOrEqual(30);
    expect(Math.min(...taken)).toBeLessThan(35);
  });

  test("a bulk transfer crosses whole, with the sender's segmentation offload on", async () => {
    const network = await relayed(scope, { delay: "1ms" });
    const [client, server] = await endpoints(scope, network);
    const connection = await client.connect(SERVER.v4, await server.listen());
    await connection.echo(20_000_000);
    await connection.close();
    const counters = await network.stopRelay();
    expect(counters.overrun).toEqual([0, 0]);
    expect(counters.dropped).toEqual([0, 0]);
    expect(await tcpCounter(network.server, "InCsumErrors")).toBe(0);
    expect(counters.forwarded[0]).toBeLessThan(20_000_000 / 1448);
  });

  test("a lost SYN and a lost segment are retransmitted by the stack, once each", async () => {
    const network = await relayed(scope, { delay: "1ms", drop: ["syn:1", "data:2"] });
    const [client, server] = await endpoints(scope, network);
    const connection = await client.connect(SERVER.v4, await server.listen());
    await connection.echo(100);
    await connection.echo(100);
    await connection.close();
    expect((await network.stopRelay()).dropped).toEqual([2, 0]);
    expect(await tcpCounter(network.client, "RetransSegs")).toBe(2);
  });
});

describe("an endpoint", () => {
  const scope = scopeOfEachTest();

  test("says why it cannot connect", async () => {
    const network = await direct(scope);
    const client = await Endpoint.start(scope, network.client);
    await expect(client.connect(SERVER.v4, 9)).rejects.toThrow("ECONNREFUSED");
  });

  test("connects from the port it is told", async () => {
    const network = await direct(scope);
    const [client, server] = await endpoints(scope, network);
    const connection = await client.connect(SERVER.v4, await server.listen(8_080), 45_678);
    expect(connection.localPort).toBe(45_678);
  });
});

describe("the injector", () => {
  const scope = scopeOfEachTest();

  test.each([
    ["IPv4", false],
    ["IPv6", true],
  ])("%s: a real stack takes its segments for real", async (_, ipv6) => {
    const injector = await Injector.start(scope);
    await injector.namespace.sysctl(`ipv6/conf/${WIRE.b}/disable_ipv6`, 0);
    await injector.namespace.ip(
      `link set ${WIRE.b} address 02:4c:00:00:00:02`,
      `address add 10.78.0.2/24 dev ${WIRE.b}`,
      `address add fd78::2/64 dev ${WIRE.b} nodad`,
    );
    const ports = { from: "a", sourcePort: 40_000, destinationPort: 9, ipv6 } as const;
    await injector.play({ ...ports, sequence: 1, syn: true }, { ...ports, sequence: 7, acknowledges: 9, payload: 99 });
    expect(await tcpCounter(injector.namespace, "OutRsts")).toBe(2);
    expect(await tcpCounter(injector.namespace, "InCsumErrors")).toBe(0);
  });
});

describe("another tool's filter", () => {
  const scope = scopeOfEachTest();

  test("drops its port and counts, and nothing else", async () => {
    const network = await direct(scope);
    const [client, server] = await endpoints(scope, network);
    const drop = { namespace: network.client, interface: CLIENT.interface, port: 81 };
    await installForeignDrop(drop);
    const open = await client.connect(SERVER.v4, await server.listen(80));
    await open.echo(1);
    expect((await foreignState(drop)).drops).toBe(0);
    network.client.start(scope, ["bash", "-c", `: < /dev/tcp/${SERVER.v4}/81`]);
    await eventually("the SYN is dropped", async () => (await foreignState(drop)).drops > 0);
  });
});
