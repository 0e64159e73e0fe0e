import { Direction, IpProtocol, Metric, Quality, type Sample } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { Endpoint } from "../harness/endpoint.js";
import { measure, milliseconds } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { NODE, Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { CLIENT, direct, relayed, SERVER } from "../harness/topology.js";

const TIMES = 5;
const PORT = 443;
const HANDSHAKES = ["METRIC_TCP_HANDSHAKE_REMOTE", "METRIC_TCP_HANDSHAKE_LOCAL"];

function handshakesOn(name: string): Record<string, unknown> {
  return { probes: [{ tcp: { metrics: HANDSHAKES } }], interfaces: [name] };
}

function of(samples: readonly Sample[], metric: Metric): Sample[] {
  return samples.filter((sample) => sample.metric === metric);
}

/** Connects and closes so many times; gives the client's ports. */
async function connects(client: Endpoint, host: string): Promise<number[]> {
  const ports: number[] = [];
  for (let n = 0; n < TIMES; n++) {
    const connection = await client.connect(host, PORT);
    ports.push(connection.localPort);
    await connection.close();
  }
  return ports;
}

describe("handshakes over a veth pair", () => {
  const scope = scopeOfEachTest();

  test.each([
    ["IPv4, seen from the client", "client", CLIENT.v4, SERVER.v4],
    ["IPv4, seen from the server", "server", CLIENT.v4, SERVER.v4],
    ["IPv6, seen from the client", "client", CLIENT.v6, SERVER.v6],
    ["IPv6, seen from the server", "server", CLIENT.v6, SERVER.v6],
  ] as const)("%s: each gives both halves once", async (_, side, from, to) => {
    const network = await direct(scope);
    const service = await Service.start(scope, network[side]);
    const [client, server] = await Promise.all([
      Endpoint.start(scope, network.client),
      Endpoint.start(scope, network.server),
    ]);
    await server.listen(PORT);
    const watched = side === "client" ? CLIENT.interface : SERVER.interface;
    let ports: number[] = [];
    const { samples, totals } = await measure(service.client, handshakesOn(watched), async () => {
      ports = await connects(client, to);
    });
    expect(samples).toHaveLength(2 * TIMES);
    expect(totals).toMatchObject({ measured: 10n, delivered: 10n, losses: [], inFlight: 0n });
    for (const [metric, measuredFromServer] of [
      [Metric.TCP_HANDSHAKE_REMOTE, false],
      [Metric.TCP_HANDSHAKE_LOCAL, true],
    ] as const) {
      const half = of(samples, metric);
      expect(half.map((sample) => sample.flow)).toEqual(
        ports.map((clientPort) => ({
          clientAddress: from,
          clientPort,
          serverAddress: to,
          serverPort: PORT,
          direction: side === "client" ? Direction.OUTBOUND : Direction.INBOUND,
          interface: watched,
          vlanId: 0,
          measuredFromServer,
          protocol: IpProtocol.TCP,
          networkNamespace: 0n,
          openerUnknown: false,
          ttl: 64,
        })),
      );
      // The answering stack is this host where the measured segment came from the other one.
      const answeredHere = (side === "client") === measuredFromServer;
      for (const sample of half) {
        expect(sample.quality.includes(Quality.INCLUDES_LOCAL_HOST)).toBe(answeredHere);
        expect(sample).toMatchObject({ retries: 0, result: 0n, probe: 0 });
      }
      const taken = half.map(milliseconds);
      expect(Math.min(...taken)).toBeGreaterThan(0);
      expect(Math.min(...taken)).toBeLessThan(1);
    }
  });
});

describe("handshakes through a relay of 20 ms there and 10 ms back", () => {
  const scope = scopeOfEachTest();

  test.each([
    ["IPv4", SERVER.v4],
    ["IPv6", SERVER.v6],
  ] as const)("%s: the client sees the way in the remote half, the server in the local half", async (_, to) => {
    const network = await relayed(scope, { delay: "20ms", delayBack: "10ms" });
    const [atClient, atServer, client, server] = await Promise.all([
      Service.start(scope, network.client),
      Service.start(scope, network.server),
      Endpoint.start(scope, network.client),
      Endpoint.start(scope, network.server),
    ]);
    await server.listen(PORT);
    const seenByServer = { samples: [] as readonly Sample[] };
    const seenByClient = await measure(atClient.client, handshakesOn(CLIENT.interface), async () => {
      const { samples } = await measure(atServer.client, handshakesOn(SERVER.interface), () => connects(client, to));
      seenByServer.samples = samples;
    });
    for (const [samples, far, near] of [
      [seenByClient.samples, Metric.TCP_HANDSHAKE_REMOTE, Metric.TCP_HANDSHAKE_LOCAL],
      [seenByServer.samples, Metric.TCP_HANDSHAKE_LOCAL, Metric.TCP_HANDSHAKE_REMOTE],
    ] as const) {
      const farTimes = of(samples, far).map(milliseconds);
      expect(farTimes).toHaveLength(TIMES);
      expect(Math.min(...farTimes)).toBeGreaterThanOrEqual(30);
      expect(Math.min(...farTimes)).toBeLessThan(35);
      const nearTimes = of(samples, near).map(milliseconds);
      expect(nearTimes).toHaveLength(TIMES);
      expect(Math.min(...nearTimes)).toBeLessThan(5);
    }
    expect((await network.stopRelay()).overrun).toEqual([0, 0]);
  });

  test("a lost SYN counts from the first one, and says so", async () => {
    const network = await relayed(scope, { delay: "5ms", drop: ["syn:1"] });
    const { service, client, server } = await stage(scope, network);
    await server.listen(PORT);
    const { samples } = await measure(service.client, handshakesOn(CLIENT.interface), () =>
      client.connect(SERVER.v4, PORT),
    );
    const [remote, ...more] = of(samples, Metric.TCP_HANDSHAKE_REMOTE);
    expect(more).toEqual([]);
    expect(remote).toMatchObject({ retries: 1, flow: { serverPort: PORT } });
    expect(remote?.quality).toContain(Quality.SYN_RETRANSMITTED);
    // RFC 6298: the first retransmission comes after one second.
    expect(remote && milliseconds(remote)).toBeGreaterThanOrEqual(1_000);
  });
});

describe("a sample", () => {
  const scope = scopeOfEachTest();

  test("carries the node, the session, and the time it ended", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client);
    const [client, server] = await Promise.all([
      Endpoint.start(scope, network.client),
      Endpoint.start(scope, network.server),
    ]);
    await server.listen(PORT);
    const stream = await service.client.watch(handshakesOn(CLIENT.interface), { maxSamples: "2" });
    const before = Date.now();
    await client.connect(SERVER.v4, PORT);
    await stream.ended();
    const after = Date.now();
    for (const { node, session } of stream.messages) {
      expect(node).toBe(`nodes/${NODE}`);
      expect(session).toMatch(/^sessions\/[a-z][a-z0-9-]{0,62}$/);
    }
    for (const { time } of stream.samples) {
      const at = Number(time?.seconds) * 1e3 + (time?.nanos ?? 0) / 1e6;
      // The wall clock may be steered while the test runs.
      expect(at).toBeGreaterThan(before - 100);
      expect(at).toBeLessThan(after + 100);
    }
  });
});
