import { EndReason, type StreamSamplesResponse, ListSessionsRequest, type ListSessionsResponse } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { ALL_TCP, unary, type Client } from "../harness/client.js";
import type { Endpoint } from "../harness/endpoint.js";
import { eventually } from "../harness/eventually.js";
import { GrpcurlStream } from "../harness/grpcurl.js";
import { stop } from "../harness/measure.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import type { Service } from "../harness/service.js";
import { NODE } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { CLIENT, SERVER } from "../harness/topology.js";

const PORT = 443;
const HERE = { interfaces: [CLIENT.interface] };
const REMOTE = { probes: [{ tcp: { metrics: ["METRIC_TCP_HANDSHAKE_REMOTE"] } }], ...HERE };

interface Parties {
  readonly service: Service;
  readonly client: Endpoint;
}

async function parties(scope: Scope): Promise<Parties> {
  const { service, client, server } = await stage(scope);
  await server.listen(PORT);
  return { service, client };
}

async function connects(client: Endpoint, times: number): Promise<void> {
  for (let n = 0; n < times; n++) await (await client.connect(SERVER.v4, PORT)).close();
}

async function sessionCount(client: Client): Promise<number> {
  const request = ListSessionsRequest.fromPartial({});
  const { sessions } = await unary<ListSessionsResponse>((answer) => client.sessions.listSessions(request, answer));
  return sessions.length;
}

function ports({ messages }: { messages: readonly StreamSamplesResponse[] }): (number | undefined)[] {
  return messages.flatMap(({ event }) =>
    event?.$case === "rows" ? event.value.samples.map(({ flow }) => flow?.clientPort) : [],
  );
}

describe("a stream with a spec of its own", () => {
  const scope = scopeOfEachTest();

  test("ends after max_samples, with exactly so many", async () => {
    const { service, client } = await parties(scope);
    const stream = await service.client.watch(REMOTE, { maxSamples: "3" });
    await connects(client, 5);
    const end = await stream.ended();
    expect(end.reason).toBe(EndReason.READER_LIMIT);
    expect(stream.samples).toHaveLength(3);
    expect(end.totals).toMatchObject({ delivered: 3n, filtered: 0n, losses: [] });
  });

  test("says what the server made of the request, and makes a session that lives as long as it does", async () => {
    const { service } = await parties(scope);
    const stream = service.client.stream({ spec: { ...ALL_TCP, ...HERE } });
    const start = await stream.started();
    expect(start.effectiveSpec).toMatchObject({ interfaces: [CLIENT.interface] });
    expect(start.effectiveSpec?.limits?.idleTimeout).toBeDefined();
    expect(await sessionCount(service.client)).toBe(1);
    stream.cancel();
    await eventually("the session is gone", async () => (await sessionCount(service.client)) === 0, 1_000);
  });

  test("sends a Heartbeat when nothing happens, with a watermark that moves", async () => {
    const { service } = await parties(scope);
    const stream = await service.client.watch({ ...ALL_TCP, ...HERE });
    const beats: bigint[] = [];
    for (let n = 0; n < 2; n++) {
      const { event } = await stream.until("heartbeat", 5_000);
      if (event?.$case === "heartbeat") beats.push(event.value.watermark?.seconds ?? 0n);
    }
    const now = BigInt(Math.floor(Date.now() / 1_000));
    expect(beats[0]).toBeGreaterThanOrEqual(now - 30n);
    expect(beats[1]).toBeGreaterThan(beats[0] ?? 0n);
  });

  test("comes to a person with grpcurl", async () => {
    const { service, client } = await parties(scope);
    const stream = new GrpcurlStream(scope, service.socket, "latscope.v1.SampleService/StreamSamples", {
      spec: REMOTE,
    });
    expect(await stream.next()).toMatchObject({ node: `nodes/${NODE}`, start: { effectiveSpec: HERE } });
    await client.connect(SERVER.v4, PORT);
    let message = await stream.next();
    while (!("rows" in message)) message = await stream.next();
    expect(message).toMatchObject({
      rows: {
        samples: [
          {
            metric: "METRIC_TCP_HANDSHAKE_REMOTE",
            latency: expect.stringMatching(/^0\.000\d+s$/) as string,
            flow: {
              clientAddress: CLIENT.v4,
              serverAddress: SERVER.v4,
              serverPort: PORT,
              direction: "DIRECTION_OUTBOUND",
              interface: CLIENT.interface,
              protocol: "IP_PROTOCOL_TCP",
            },
          },
        ],
      },
    });
  });
});

describe("streams of one session", () => {
  const scope = scopeOfEachTest();

  test("all readers see the same, and End when it stops", async () => {
    const { service, client } = await parties(scope);
    const session = (await service.client.create(REMOTE)).name;
    const readers = [1, 2, 3].map(() => service.client.stream({ session }));
    await Promise.all(readers.map((reader) => reader.started()));
    await connects(client, 4);
    await stop(service.client, session);
    const ends = await Promise.all(readers.map((reader) => reader.ended()));
    for (const end of ends) {
      expect(end.reason).toBe(EndReason.SESSION_STOPPED);
      expect(end.totals).toMatchObject({ delivered: 4n, losses: [] });
      expect(end.sessionTotals).toMatchObject({ measured: 4n, delivered: 4n, inFlight: 0n, losses: [] });
    }
    const [first, second, third] = readers.map(ports);
    expect(first).toHaveLength(4);
    expect(second).toEqual(first);
    expect(third).toEqual(first);
  });

  test("a cursor goes on where a broken stream ended: nothing twice, nothing missing", async () => {
    const { service, client } = await parties(scope);
    const session = (await service.client.create(REMOTE)).name;
    const broken = service.client.stream({ session });
    await broken.started();
    await connects(client, 2);
    await broken.take(2);
    const cursor = broken.messages.at(-1)?.cursor;
    broken.cancel();
    await connects(client, 3);
    const resumed = service.client.stream({ session, cursor });
    await resumed.started();
    await connects(client, 1);
    await resumed.take(4);
    await stop(service.client, session);
    await resumed.ended();
    const whole = service.client.stream({ session, noFollow: true });
    await whole.ended();
    expect([...ports(broken), ...ports(resumed)]).toEqual(ports(whole));
    expect(ports(whole)).toHaveLength(6);
  });

  test("a reader's filter takes from that reader alone", async () => {
    const { service, client } = await parties(scope);
    const session = (await service.client.create({ ...REMOTE, probes: [{ tcp: {} }] })).name;
    const narrow = service.client.stream({ session, filters: [{ metrics: ["METRIC_TCP_HANDSHAKE_LOCAL"] }] });
    const wide = service.client.stream({ session });
    await Promise.all([narrow.started(), wide.started()]);
    await connects(client, 2);
    await stop(service.client, session);
    const [few, all] = await Promise.all([narrow.ended(), wide.ended()]);
    expect(narrow.samples).toHaveLength(2);
    expect(few.totals?.delivered).toBe(2n);
    expect(all.totals?.delivered).toBe(BigInt(wide.samples.length));
    expect((few.totals?.filtered ?? 0n) + 2n).toBe(all.totals?.delivered);
  });
});
