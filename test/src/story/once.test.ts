import { Metric, type Sample } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import type { Client, SpecJson } from "../harness/client.js";
import { Endpoint, type Connection } from "../harness/endpoint.js";
import { eventually } from "../harness/eventually.js";
import { history, measure, stop, type Measured } from "../harness/measure.js";
import { Namespace } from "../harness/netns.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";

const PORT = 443;
const ECHOES = 10;
const METRICS = ["METRIC_TCP_HANDSHAKE_REMOTE", "METRIC_TCP_HANDSHAKE_LOCAL", "METRIC_TCP_RTT"];

function tcp(...interfaces: string[]): SpecJson {
  return { probes: [{ tcp: { metrics: METRICS } }], interfaces };
}

async function echoes(connection: Connection): Promise<void> {
  for (let n = 0; n < ECHOES; n++) await connection.echo(100);
}

/** How many there are of each metric; round trips only of what the client sent, each of which is answered by itself. */
function counts(samples: readonly Sample[]): [number, number, number] {
  const of = (metric: Metric): Sample[] => samples.filter((sample) => sample.metric === metric);
  return [
    of(Metric.TCP_HANDSHAKE_REMOTE).length,
    of(Metric.TCP_HANDSHAKE_LOCAL).length,
    of(Metric.TCP_RTT).filter(({ flow }) => flow?.measuredFromServer === false).length,
  ];
}

function interfaces(samples: readonly Sample[], fromServer?: boolean): Set<string> {
  const wanted = samples.filter(({ flow }) => fromServer === undefined || flow?.measuredFromServer === fromServer);
  return new Set(wanted.map(({ flow }) => flow?.interface ?? ""));
}

function balanced({ samples, totals }: Measured): void {
  expect(totals.measured).toBe(BigInt(samples.length));
  expect([totals.delivered, totals.inFlight]).toEqual([totals.measured, 0n]);
  expect(totals.losses).toEqual([]);
}

async function measureAll(
  client: Client,
  specs: readonly SpecJson[],
  traffic: () => Promise<void>,
): Promise<Measured[]> {
  const sessions = [];
  for (const spec of specs) sessions.push((await client.create(spec)).name);
  await traffic();
  const measured = [];
  for (const name of sessions) {
    await stop(client, name);
    measured.push(await history(client, name));
  }
  return measured;
}

/** The second link of a client and a server; both keep their addresses whichever of the two they use. */
const SECOND = { client: "second0", server: "second1", clientV4: "10.79.0.1", serverV4: "10.79.0.2" } as const;

/** Client and server on two links. Their addresses are on loopback, and reached by the first link while that is there. */
async function twoLinks(scope: Scope): Promise<{ client: Namespace; server: Namespace }> {
  const network = await direct(scope);
  const { client, server } = network;
  await client.ip(`link add ${SECOND.client} type veth peer name ${SECOND.server} netns ${server.name}`);
  const end = async (
    here: Namespace,
    link: string,
    address: string,
    own: typeof CLIENT | typeof SERVER,
    gate: string,
  ) => {
    for (const name of ["all", own.interface, link]) await here.sysctl(`ipv4/conf/${name}/rp_filter`, 0);
    await here.ip(
      `address add ${address}/24 dev ${link}`,
      `link set ${link} up`,
      `address add ${HOME[gate]}/32 dev lo`,
    );
  };
  await end(client, SECOND.client, SECOND.clientV4, CLIENT, "client");
  await end(server, SECOND.server, SECOND.serverV4, SERVER, "server");
  await eventually("the second link is up", async () => {
    const links = (await client.json(["ip", "-json", "link", "show", "dev", SECOND.client])) as { operstate: string }[];
    return links[0]?.operstate === "UP";
  });
  const first = { client: CLIENT.v4, server: SERVER.v4 };
  await client.ip(
    `route add ${HOME["server"]} via ${first.server} src ${HOME["client"]} metric 10`,
    `route add ${HOME["server"]} via ${SECOND.serverV4} src ${HOME["client"]} metric 20`,
  );
  await server.ip(
    `route add ${HOME["client"]} via ${first.client} src ${HOME["server"]} metric 10`,
    `route add ${HOME["client"]} via ${SECOND.clientV4} src ${HOME["server"]} metric 20`,
  );
  return { client, server };
}

/** Addresses that belong to no link. */
const HOME: Readonly<Record<string, string>> = { client: "10.80.0.1", server: "10.80.0.2" };

describe("one flow on several interfaces", () => {
  const scope = scopeOfEachTest();

  test("three sessions, at the veth, at the bridge above it and at all: each sees each sample once", async () => {
    const network = await direct(scope);
    await network.client.ip(
      "link add br0 type bridge",
      `link set ${CLIENT.interface} master br0`,
      `address del ${CLIENT.v4}/24 dev ${CLIENT.interface}`,
      `address add ${CLIENT.v4}/24 dev br0`,
      "link set br0 up",
    );
    await eventually("the bridge forwards", async () => {
      const links = (await network.client.json(["ip", "-json", "link", "show", "dev", "br0"])) as {
        operstate: string;
      }[];
      return links[0]?.operstate === "UP";
    });
    const { service, client, server } = await stage(scope, network);
    await server.listen(PORT);
    const specs = [tcp(CLIENT.interface), tcp("br0"), tcp()];
    const measured = await measureAll(service.client, specs, async () => {
      const connection = await client.connect(SERVER.v4, PORT);
      await echoes(connection);
      await connection.close();
    });
    for (const one of measured) {
      expect(counts(one.samples).slice(0, 2)).toEqual([1, 1]);
      // And the FIN.
      expect([ECHOES, ECHOES + 1]).toContain(counts(one.samples)[2]);
      balanced(one);
    }
    const [veth, bridge, all] = measured.map(({ samples }) => samples) as [Sample[], Sample[], Sample[]];
    expect(interfaces(veth)).toEqual(new Set([CLIENT.interface]));
    expect(interfaces(bridge)).toEqual(new Set(["br0"]));
    expect([bridge.length, all.length]).toEqual([veth.length, veth.length]);
  });

  test("out by one interface and back by the other, a flow has values, and none where one way is seen", async () => {
    const { client: near, server: far } = await twoLinks(scope);
    await far.ip(`route del ${HOME["client"]} via ${CLIENT.v4}`);
    const { service, client, server } = await stage(scope, { client: near, server: far });
    await server.listen(PORT);
    const [all, first] = await measureAll(service.client, [tcp(), tcp(CLIENT.interface)], async () => {
      await echoes(await client.connect(HOME["server"] ?? "", PORT));
    });
    expect(counts(all?.samples ?? [])).toEqual([1, 1, ECHOES]);
    // The interface of a sample is where its end passed: the answer's.
    expect(interfaces(all?.samples ?? [], false)).toEqual(new Set([SECOND.client]));
    expect(interfaces(all?.samples ?? [], true)).toEqual(new Set([CLIENT.interface]));
    expect(first?.samples).toEqual([]);
  });

  test("the interface of a flow deleted in the middle: it goes on at the other", async () => {
    const { client: near, server: far } = await twoLinks(scope);
    const { service, client, server } = await stage(scope, { client: near, server: far });
    await server.listen(PORT);
    const measured = await measure(service.client, tcp(), async () => {
      const connection = await client.connect(HOME["server"] ?? "", PORT);
      await echoes(connection);
      await near.ip(`link del ${CLIENT.interface}`);
      await echoes(connection);
      await echoes(connection);
    });
    const mine = measured.samples.filter(({ flow }) => flow?.measuredFromServer === false);
    const at = (name: string): number => mine.filter(({ flow }) => flow?.interface === name).length;
    expect(at(CLIENT.interface)).toBe(1 + ECHOES);
    expect(at(SECOND.client)).toBeGreaterThanOrEqual(2 * ECHOES - 2);
    expect(at(SECOND.client)).toBeLessThanOrEqual(2 * ECHOES);
    balanced(measured);
  });

  test("a glob means those that match, now and later", async () => {
    const { network, service, client, server } = await stage(scope);
    await server.listen(PORT);
    const streams = [
      await service.client.watch(tcp("clie*")),
      await service.client.watch(tcp("later*")),
      await service.client.watch(tcp("[!c]*")),
    ];
    await (await client.connect(SERVER.v4, PORT)).close();
    await network.client.ip(
      `link add later0 type veth peer name later1 netns ${network.server.name}`,
      "address add 10.79.0.1/24 dev later0",
      "link set later0 up",
    );
    await network.server.ip("address add 10.79.0.2/24 dev later1", "link set later1 up");
    // Nothing tells a client when the new interface is watched.
    await eventually("a flow of the new interface is seen", async () => {
      await (await client.connect("10.79.0.2", PORT)).close();
      return streams.slice(1).every((stream) => stream.samples.length > 0);
    });
    const seen = streams.map(({ samples }) => interfaces(samples));
    expect(seen).toEqual([new Set([CLIENT.interface]), new Set(["later0"]), new Set(["later0"])]);
    for (const stream of streams) stream.cancel();
  });
});

describe("sessions in other network namespaces", () => {
  const scope = scopeOfEachTest();

  test("one session sees both ends of a connection, each in its namespace", async () => {
    const network = await direct(scope);
    const away = await Namespace.create(scope);
    const [service, client, server] = await Promise.all([
      Service.start(scope, away),
      Endpoint.start(scope, network.client),
      Endpoint.start(scope, network.server),
    ]);
    await server.listen(PORT);
    const paths = [network.client.path, network.server.path];
    const spec = (networkNamespaces: string[]): SpecJson => ({ ...tcp(), networkNamespaces });
    const [both, one, own] = await measureAll(service.client, [spec(paths), spec(paths.slice(1)), tcp()], async () => {
      await echoes(await client.connect(SERVER.v4, PORT));
    });
    const places = new Map<string, Set<bigint>>();
    for (const { flow } of both?.samples ?? []) {
      const name = flow?.interface ?? "";
      places.set(name, (places.get(name) ?? new Set()).add(flow?.networkNamespace ?? 0n));
    }
    expect([...places.keys()].sort()).toEqual([CLIENT.interface, SERVER.interface]);
    const inodes = [...places.values()].flatMap((it) => [...it]);
    expect(inodes).toHaveLength(2);
    expect(new Set(inodes).size).toBe(2);
    expect(inodes).not.toContain(0n);
    expect(counts(both?.samples ?? [])).toEqual([2, 2, 2 * ECHOES]);
    expect(counts(one?.samples ?? [])).toEqual([1, 1, ECHOES]);
    expect(interfaces(one?.samples ?? [])).toEqual(new Set([SERVER.interface]));
    expect(own?.samples).toEqual([]);
    for (const measured of [both, one, own]) if (measured !== undefined) balanced(measured);
  });
});
