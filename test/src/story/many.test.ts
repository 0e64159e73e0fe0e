import { Metric, UpdateSessionRequest } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { unary, type SpecJson } from "../harness/client.js";
import { failureOf } from "../harness/failure.js";
import { history, stop } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { stage } from "../harness/stage.js";
import { CLIENT, SERVER } from "../harness/topology.js";

const SESSIONS = 64;
const CLAUSES = 8;
const PORTS = 96;
const FIRST = 20_000;

/** Ports of a session: every other session shares one with it. */
function portsOf(session: number): number[] {
  return Array.from({ length: CLAUSES }, (_, clause) => FIRST + ((session * 5 + clause * 11) % PORTS));
}

function clauses(ports: readonly number[]): Record<string, unknown>[] {
  return ports.map((port) => ({
    clientCidrs: [CLIENT.v4],
    serverCidrs: ["10.77.0.0/24"],
    serverPorts: [{ first: port }],
    directions: ["DIRECTION_OUTBOUND"],
  }));
}

function spec(ports: readonly number[], metric = "METRIC_TCP_HANDSHAKE_REMOTE"): SpecJson {
  return { probes: [{ tcp: { metrics: [metric] } }], interfaces: [CLIENT.interface], filters: clauses(ports) };
}

describe("64 sessions of 8 clauses at once", () => {
  const scope = scopeOfEachTest();

  test("each gets what its clauses let through, and the 65th hears that there is no room", async () => {
    const { service, client, server } = await stage(scope);
    for (let port = FIRST; port < FIRST + PORTS; port++) await server.listen(port);
    const names: string[] = [];
    for (let n = 0; n < SESSIONS; n++) names.push((await service.client.create(spec(portsOf(n)))).name);
    const failure = await failureOf(service.client.create(spec(portsOf(0))));
    expect(failure).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "SESSION_LIMIT" });
    expect(failure.quotas).toHaveLength(1);
    for (let port = FIRST; port < FIRST + PORTS; port++) await (await client.connect(SERVER.v4, port)).close();
    for (const [n, name] of names.entries()) {
      await stop(service.client, name);
      const { samples, totals } = await history(service.client, name);
      const ports = samples.map(({ flow }) => flow?.serverPort ?? 0).sort((a, b) => a - b);
      expect(ports).toEqual([...new Set(portsOf(n))].sort((a, b) => a - b));
      expect(samples.every(({ metric }) => metric === Metric.TCP_HANDSHAKE_REMOTE)).toBe(true);
      expect([totals.measured, totals.delivered]).toEqual([BigInt(samples.length), BigInt(samples.length)]);
      expect([totals.losses, totals.inFlight]).toEqual([[], 0n]);
    }
  });

  test("a change of one filter takes nothing from the others, and gives them nothing", async () => {
    const CHANGES = 10;
    const { service, client, server } = await stage(scope);
    await server.listen(FIRST);
    await server.listen(FIRST + 1);
    const quiet = await service.client.create(spec([FIRST], "METRIC_TCP_RTT"));
    const changing = await service.client.create(spec([FIRST + 1], "METRIC_TCP_RTT"));
    let changes = 0;
    let echoes = 0;
    let over = false;
    const change = async (): Promise<void> => {
      while (!over) {
        const filters = clauses([FIRST + (++changes % 3)]);
        const request = UpdateSessionRequest.fromJSON({
          session: { name: changing.name, spec: { ...spec([FIRST], "METRIC_TCP_RTT"), filters } },
          updateMask: "spec.filters",
        });
        await unary((answer) => service.client.sessions.updateSession(request, answer));
      }
    };
    const traffic = async (): Promise<void> => {
      const connection = await client.connect(SERVER.v4, FIRST);
      for (; changes < CHANGES; echoes++) await connection.echo(100);
      over = true;
    };
    await Promise.all([change(), traffic()]);
    await stop(service.client, quiet.name);
    const { samples, totals } = await history(service.client, quiet.name);
    const sent = samples.filter(({ flow }) => flow?.measuredFromServer === false);
    expect(sent).toHaveLength(echoes);
    expect([totals.measured, totals.delivered]).toEqual([BigInt(samples.length), BigInt(samples.length)]);
    expect([totals.losses, totals.inFlight]).toEqual([[], 0n]);
    await stop(service.client, changing.name);
    const other = await history(service.client, changing.name);
    expect(other.samples.every(({ flow }) => flow?.serverPort === FIRST)).toBe(true);
    expect(other.totals.measured).toBe(BigInt(other.samples.length));
  });
});
