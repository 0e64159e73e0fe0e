import { Direction, Metric, Quality, RefusalReason, type Sample } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { Endpoint } from "../harness/endpoint.js";
import { measure, milliseconds, refusals } from "../harness/measure.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { CLIENT, relayed, SERVER, type RelayedNetwork, type RelayOptions } from "../harness/topology.js";

const PORT = 443;
const ECHOES = 20;
/** Only what goes to this network's server: the engine sees the sockets of the whole host. */
const SOCKETS = {
  probes: [{ socket: {} }],
  filters: [{ serverCidrs: [`${SERVER.v4}/32`], serverPorts: [{ first: PORT }] }],
};

interface Parties {
  readonly network: RelayedNetwork;
  readonly service: Service;
  readonly client: Endpoint;
  readonly server: Endpoint;
}

async function parties(scope: Scope, options: RelayOptions): Promise<Parties> {
  const network = await relayed(scope, options);
  const [service, client, server] = await Promise.all([
    Service.start(scope, network.client),
    Endpoint.start(scope, network.client),
    Endpoint.start(scope, network.server),
  ]);
  return { network, service, client, server };
}

function outbound(samples: readonly Sample[], metric: Metric): Sample[] {
  return samples.filter((sample) => sample.metric === metric && sample.flow?.direction === Direction.OUTBOUND);
}

describe("sockets through a relay of 20 ms each way", () => {
  const scope = scopeOfEachTest();

  test("connect and every round trip last as long as the relay makes them, at both ends", async () => {
    const { network, service, client, server } = await parties(scope, { delay: "20ms" });
    await server.listen(PORT);
    const { samples, totals } = await measure(service.client, SOCKETS, async () => {
      const connection = await client.connect(SERVER.v4, PORT);
      for (let n = 0; n < ECHOES; n++) await connection.echo(100);
    });
    const connects = outbound(samples, Metric.SOCKET_CONNECT);
    expect(connects).toHaveLength(1);
    expect(connects[0]).toMatchObject({ result: 0n, retries: 0, quality: [] });
    expect(connects[0]?.process?.comm).toBe("node");
    expect(connects[0]?.flow).toMatchObject({ clientAddress: CLIENT.v4, serverAddress: SERVER.v4, serverPort: PORT });
    const rtts = samples.filter(({ metric }) => metric === Metric.SOCKET_RTT);
    expect(outbound(rtts, Metric.SOCKET_RTT).length).toBeGreaterThanOrEqual(ECHOES / 2);
    expect(rtts.length).toBeGreaterThan(outbound(rtts, Metric.SOCKET_RTT).length);
    for (const sample of [...connects, ...rtts]) {
      expect(milliseconds(sample)).toBeGreaterThanOrEqual(40);
      // The acknowledgement may have been delayed (RFC 9293, 3.8.6.3).
      expect(milliseconds(sample)).toBeLessThan(40 + 60);
    }
    expect(totals.measured).toBe(BigInt(samples.length));
    expect((await network.stopRelay()).overrun).toEqual([0, 0]);
  });

  test("a SYN that was lost is in the connect, and said so", async () => {
    const { service, client, server } = await parties(scope, { delay: "20ms", drop: ["syn:1"] });
    await server.listen(PORT);
    const { samples } = await measure(service.client, SOCKETS, () => client.connect(SERVER.v4, PORT));
    const connects = outbound(samples, Metric.SOCKET_CONNECT);
    expect(connects).toHaveLength(1);
    expect(connects[0]).toMatchObject({ result: 0n, retries: 1, quality: [Quality.SYN_RETRANSMITTED] });
    // The first timeout is a second (RFC 6298, 2.1).
    expect(connects.map(milliseconds)[0]).toBeGreaterThanOrEqual(1040);
    expect(outbound(samples, Metric.SOCKET_RETRANSMIT)).toEqual([]);
  });

  test("a refused connect has its errno", async () => {
    const { service, client } = await parties(scope, { delay: "20ms" });
    const { samples } = await measure(service.client, SOCKETS, () =>
      client.connect(SERVER.v4, PORT).catch((error: unknown) => {
        expect(String(error)).toContain("ECONNREFUSED");
      }),
    );
    expect(samples).toHaveLength(1);
    expect(samples[0]).toMatchObject({ metric: Metric.SOCKET_CONNECT, result: 111n });
    expect(samples.map(milliseconds)[0]).toBeGreaterThanOrEqual(40);
  });

  test("a segment that the relay drops is sent again: a timeout is told, anything else is refused", async () => {
    const { network, service, client, server } = await parties(scope, { delay: "20ms", drop: ["data:3"] });
    await server.listen(PORT);
    const { samples, totals } = await measure(service.client, SOCKETS, async () => {
      const connection = await client.connect(SERVER.v4, PORT);
      for (let n = 0; n < ECHOES; n++) await connection.echo(100);
    });
    expect((await network.stopRelay()).dropped).toEqual([1, 0]);
    const resent = outbound(samples, Metric.SOCKET_RETRANSMIT);
    for (const sample of resent) expect(milliseconds(sample)).toBeGreaterThanOrEqual(200);
    expect(BigInt(resent.length) + refusals(totals, RefusalReason.RETRANSMITTED)).toBeGreaterThanOrEqual(1n);
  });
});
