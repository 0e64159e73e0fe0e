import {
  DeleteSessionRequest,
  GetSessionRequest,
  ListSessionsRequest,
  SessionState,
  StopReason,
  type DeleteSessionResponse,
  type GetSessionResponse,
  type ListSessionsResponse,
  type Sample,
} from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { ALL_TCP, unary, type Client, type SpecJson } from "../harness/client.js";
import { failureOf } from "../harness/failure.js";
import { history, stop } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";

function handshakes(
  filters: readonly Record<string, unknown>[],
  exclude: readonly Record<string, unknown>[] = [],
): SpecJson {
  return {
    probes: [{ tcp: { metrics: ["METRIC_TCP_HANDSHAKE_REMOTE"] } }],
    interfaces: [CLIENT.interface],
    filters,
    exclude,
  };
}

function served(samples: readonly Sample[]): string[] {
  return samples.map(({ flow }) => `${flow?.serverAddress ?? ""} ${flow?.serverPort ?? 0}`);
}

function remove(client: Client, name: string, force = false): Promise<DeleteSessionResponse> {
  const request = DeleteSessionRequest.fromPartial({ name, force });
  return unary((answer) => client.sessions.deleteSession(request, answer));
}

async function list(client: Client): Promise<string[]> {
  const request = ListSessionsRequest.fromPartial({});
  const { sessions } = await unary<ListSessionsResponse>((answer) => client.sessions.listSessions(request, answer));
  return sessions.map(({ name }) => name);
}

async function get(client: Client, name: string): Promise<GetSessionResponse> {
  return unary((answer) => client.sessions.getSession(GetSessionRequest.fromPartial({ name }), answer));
}

describe("sessions at once", () => {
  const scope = scopeOfEachTest();

  test("each sees just the flows of its filters", async () => {
    const { service, client, server } = await stage(scope);
    await server.listen(443);
    await server.listen(8_443);
    const [v4, v6] = [SERVER.v4, SERVER.v6];
    const all = [`${v4} 443`, `${v4} 8443`, `${v6} 443`, `${v6} 8443`];
    const cases: { spec: SpecJson; sees: string[] }[] = [
      { spec: handshakes([]), sees: all },
      { spec: handshakes([{ serverPorts: [{ first: 443 }] }]), sees: [`${v4} 443`, `${v6} 443`] },
      { spec: handshakes([{ serverCidrs: ["fd77::/64"] }]), sees: [`${v6} 443`, `${v6} 8443`] },
      {
        spec: handshakes([{ serverCidrs: [`${v4}/32`], ports: [{ first: 8_000, last: 9_000 }] }]),
        sees: [`${v4} 8443`],
      },
      { spec: handshakes([{ clientCidrs: [`${CLIENT.v4}/32`] }]), sees: [`${v4} 443`, `${v4} 8443`] },
      // The server's address is nobody's client.
      { spec: handshakes([{ clientCidrs: [`${v4}/32`] }]), sees: [] },
      { spec: handshakes([{ cidrs: [`${v4}/32`] }]), sees: [`${v4} 443`, `${v4} 8443`] },
      { spec: handshakes([{ cidrs: ["10.77.0.4/30"] }]), sees: [] },
      { spec: handshakes([{ clientPorts: [{ first: 443 }, { first: 8_443 }] }]), sees: [] },
      // Clauses OR.
      {
        spec: handshakes([
          { cidrs: ["10.0.0.0/8"], serverPorts: [{ first: 443 }] },
          { cidrs: ["fd00::/8"], ports: [{ first: 8_443 }] },
        ]),
        sees: [`${v4} 443`, `${v6} 8443`],
      },
      { spec: handshakes([{ serverPorts: [{ first: 443 }] }], [{ cidrs: ["fd77::/64"] }]), sees: [`${v4} 443`] },
    ];
    const sessions = await Promise.all(cases.map(({ spec }) => service.client.create(spec)));
    for (const host of [v4, v6]) {
      for (const port of [443, 8_443]) await (await client.connect(host, port)).close();
    }
    for (const [index, session] of sessions.entries()) {
      await stop(service.client, session.name);
      const { samples } = await history(service.client, session.name);
      const { spec, sees } = cases[index] ?? { spec: {}, sees: [] };
      expect(served(samples), JSON.stringify(spec)).toEqual(sees);
    }
  });

  test("one that comes later sees later flows, and one that is gone takes nothing from the others", async () => {
    const { service, client, server } = await stage(scope);
    await server.listen(1_001);
    await server.listen(1_002);
    await server.listen(1_003);
    const first = await service.client.create(handshakes([]));
    await client.connect(SERVER.v4, 1_001);
    const second = await service.client.create(handshakes([]));
    await client.connect(SERVER.v4, 1_002);
    await stop(service.client, first.name);
    await client.connect(SERVER.v4, 1_003);
    await stop(service.client, second.name);
    expect(served((await history(service.client, first.name)).samples)).toEqual([
      `${SERVER.v4} 1001`,
      `${SERVER.v4} 1002`,
    ]);
    expect(served((await history(service.client, second.name)).samples)).toEqual([
      `${SERVER.v4} 1002`,
      `${SERVER.v4} 1003`,
    ]);
  });
});

describe("the life of a session", () => {
  const scope = scopeOfEachTest();

  test("created, found, listed, stopped, read, deleted", async () => {
    const network = await direct(scope);
    const { client } = await Service.start(scope, network.client);
    const session = await client.create({ ...ALL_TCP, interfaces: [CLIENT.interface] }, "edge");
    expect(session).toMatchObject({ name: "sessions/edge", state: SessionState.RUNNING });
    expect(session.effectiveSpec?.limits?.idleTimeout).toBeDefined();
    expect(session.probeStatuses).toMatchObject([{ probe: 0, attached: true }]);
    expect((await get(client, session.name)).session).toMatchObject({
      name: session.name,
      state: SessionState.RUNNING,
    });
    expect(await list(client)).toEqual([session.name]);

    expect(await failureOf(client.create(ALL_TCP, "edge"))).toMatchObject({ code: "ALREADY_EXISTS" });
    expect(await failureOf(remove(client, session.name))).toMatchObject({ code: "FAILED_PRECONDITION" });

    const stopped = await stop(client, session.name);
    expect(stopped).toMatchObject({ state: SessionState.STOPPED, stopReason: StopReason.REQUESTED });
    expect(await stop(client, session.name)).toMatchObject({ endTime: stopped.endTime });
    expect((await history(client, session.name)).samples).toEqual([]);

    await remove(client, session.name);
    expect(await list(client)).toEqual([]);
    expect(await failureOf(get(client, session.name))).toMatchObject({ code: "NOT_FOUND" });
  });

  test("a running one goes by force", async () => {
    const network = await direct(scope);
    const { client } = await Service.start(scope, network.client);
    const session = await client.create({ ...ALL_TCP, interfaces: [CLIENT.interface] });
    await remove(client, session.name, true);
    expect(await list(client)).toEqual([]);
  });
});
