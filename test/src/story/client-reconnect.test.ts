import { createServer, connect as dial, type Socket } from "node:net";
import { join } from "node:path";
import { connect, Metric } from "@latscope/client";
import { ListSessionsRequest, SessionState, type ListSessionsResponse } from "@latscope/proto";
import { expect, test } from "vitest";

import { unary } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import type { Service } from "../harness/service.js";
import { temporaryFolder } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { CLIENT, SERVER } from "../harness/topology.js";

const PORT = 443;

/** A way to the service that can be cut. */
async function detour(scope: Scope, to: string): Promise<{ address: string; cut: () => void }> {
  const path = join(await temporaryFolder(scope), "detour.sock");
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = dial(to);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      socket.pipe(other);
      socket
        .on("error", () => undefined)
        .once("close", () => {
          open.delete(socket);
          other.destroy();
        });
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  scope.defer(async () => {
    cut();
    await new Promise((resolve) => server.close(resolve));
  });
  return { address: `unix:${path}`, cut };
}

async function states({ client }: Service): Promise<SessionState[]> {
  const request = ListSessionsRequest.fromPartial({});
  const { sessions } = await unary<ListSessionsResponse>((answer) => client.sessions.listSessions(request, answer));
  return sessions.map(({ state }) => state);
}

const scope = scopeOfEachTest();

test("@latscope/client reads a session of its own over connections that break: none twice, none missing", async () => {
  const { service, client, server } = await stage(scope);
  await server.listen(PORT);
  const { address, cut } = await detour(scope, service.socket);
  const connects = async (times: number): Promise<number[]> => {
    const ports: number[] = [];
    for (let n = 0; n < times; n++) ports.push((await client.connect(SERVER.v4, PORT)).localPort);
    return ports;
  };

  using latscope = connect(address);
  const spec = {
    probes: [{ tcp: { metrics: [Metric.TCP_HANDSHAKE_REMOTE] } }],
    interfaces: [CLIENT.interface],
  };
  const expected: number[] = [];
  const seen: number[] = [];
  let breaks = 0;
  const reading = (async () => {
    const losses: unknown[] = [];
    const onReconnect = (): void => {
      breaks += 1;
    };
    for await (const { flow } of latscope.samples({ spec, onReconnect, onLoss: (loss) => losses.push(loss) })) {
      seen.push(flow?.clientPort ?? 0);
      if (seen.length === 9) break;
    }
    return losses;
  })();

  await eventually("the session runs", async () => (await states(service)).includes(SessionState.RUNNING));
  for (let round = 0; round < 3; round++) {
    expected.push(...(await connects(2)));
    await eventually("what was measured so far has come", () => seen.length === expected.length);
    cut();
    // Measured while nobody reads.
    expected.push(...(await connects(1)));
  }
  expect(await reading).toEqual([]);
  expect(seen).toEqual(expected);
  expect(breaks).toBeGreaterThanOrEqual(3);
  expect(await states(service)).toEqual([]);
});
