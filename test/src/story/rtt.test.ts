import { Metric, Quality, RefusalReason, type Sample } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import type { Endpoint } from "../harness/endpoint.js";
import { measure, milliseconds, refusals } from "../harness/measure.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import type { Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { CLIENT, relayed, SERVER, type RelayedNetwork, type RelayOptions } from "../harness/topology.js";

const PORT = 443;
const ECHOES = 20;
const RTT = { probes: [{ tcp: { metrics: ["METRIC_TCP_RTT"] } }], interfaces: [CLIENT.interface] };

interface Parties {
  readonly network: RelayedNetwork;
  readonly service: Service;
  readonly client: Endpoint;
  readonly server: Endpoint;
}

async function parties(scope: Scope, options: RelayOptions): Promise<Parties> {
  const network = await relayed(scope, options);
  const { service, client, server } = await stage(scope, network);
  await server.listen(PORT);
  return { network, service, client, server };
}

async function echoes(client: Endpoint, host: string): Promise<void> {
  const connection = await client.connect(host, PORT);
  for (let n = 0; n < ECHOES; n++) await connection.echo(100);
}

function sentByClient(samples: readonly Sample[]): number[] {
  return samples.filter((sample) => sample.flow?.measuredFromServer === false).map(milliseconds);
}

describe("round trips through a relay of 20 ms each way", () => {
  const scope = scopeOfEachTest();

  test.each([
    ["IPv4", SERVER.v4],
    ["IPv6", SERVER.v6],
  ] as const)("%s: each segment gives one, none below the delay", async (_, host) => {
    const { network, service, client } = await parties(scope, { delay: "20ms" });
    const { samples, totals } = await measure(service.client, RTT, () => echoes(client, host));
    expect(samples.every((sample) => sample.metric === Metric.TCP_RTT)).toBe(true);
    const times = sentByClient(samples);
    expect(times).toHaveLength(ECHOES);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(40);
    expect(Math.min(...times)).toBeLessThan(45);
    expect(totals.refusals).toEqual([]);
    expect(totals.measured).toBe(BigInt(samples.length));
    expect((await network.stopRelay()).overrun).toEqual([0, 0]);
  });

  test("a bulk transfer gives none below the delay and keeps the books", async () => {
    const { service, client } = await parties(scope, { delay: "20ms" });
    const { samples, totals } = await measure(service.client, RTT, async () => {
      const connection = await client.connect(SERVER.v4, PORT);
      await connection.echo(10_000_000);
    });
    const times = sentByClient(samples);
    expect(times.length).toBeGreaterThan(10);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(40);
    expect(totals.measured).toBe(totals.delivered + totals.losses.reduce((sum, loss) => sum + loss.count, 0n));
    expect(totals.delivered).toBe(BigInt(samples.length));
    expect(totals.inFlight).toBe(0n);
  });

  test("a segment that the stack sends again is measured from the copy that was answered, or not at all", async () => {
    const { network, service, client } = await parties(scope, { delay: "20ms", drop: ["data:3"] });
    const { samples, totals } = await measure(service.client, RTT, () => echoes(client, SERVER.v4));
    expect((await network.stopRelay()).dropped).toEqual([1, 0]);
    const times = sentByClient(samples);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(40);
    // The first copy left two round trips earlier: the stack's probe of a lost tail, RFC 8985 7.2.
    expect(Math.max(...times)).toBeLessThan(3 * 40);
    // The second copy bears a newer timestamp, and its echo tells which of the two was answered.
    const told = samples.filter(({ quality }) => quality.includes(Quality.TIMESTAMP_MATCHED));
    expect(told).toHaveLength(1);
    expect(times).toHaveLength(ECHOES);
    expect(refusals(totals, RefusalReason.RETRANSMITTED)).toBe(1n);
  });
});
