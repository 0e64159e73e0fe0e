import { connect, quantileOf, sumOf } from "@latscope/client";
import {
  EndReason,
  GetSessionRequest,
  GetSnapshotRequest,
  Histogram,
  ListSessionsRequest,
  Metric,
  SessionState,
  type GetSessionResponse,
  type GetSnapshotResponse,
  type Group,
  type GroupHistogram,
  type ListSessionsResponse,
  type Sample,
} from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { expectBalanced } from "../harness/books.js";
import { unary, type Client } from "../harness/client.js";
import type { Connection, Endpoint } from "../harness/endpoint.js";
import { eventually } from "../harness/eventually.js";
import { counted, HistogramStream, type Interval } from "../harness/histograms.js";
import { history, stop, type Measured } from "../harness/measure.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import { stage } from "../harness/stage.js";
import { CLIENT, relayed, SERVER, type RelayedNetwork } from "../harness/topology.js";

const PORTS = [443, 8443] as const;
const ECHOES = 15;
/** Of four connections: a handshake, and a round trip of each echo both ways. */
const LATENCIES = 4n * (1n + 2n * BigInt(ECHOES));
const QUANTILES = [0, 0.1, 0.5, 0.9, 0.99, 1];
/** Buckets of scale 3: eight from a power of two to the next. */
const WIDTH = 2 ** (1 / 8);
const SPEC = {
  probes: [{ tcp: { metrics: ["METRIC_TCP_HANDSHAKE_REMOTE", "METRIC_TCP_RTT"] } }],
  interfaces: [CLIENT.interface],
};
const GROUPED = {
  ...SPEC,
  collection: { histogramsOnly: true, groupBy: ["GROUP_BY_SERVER_PORT", "GROUP_BY_CLIENT_PREFIX"] },
};

interface Told {
  readonly network: RelayedNetwork;
  readonly client: Client;
  /** The session that counts, as it was told: all at once, in intervals, and with room for one group. */
  readonly session: string;
  readonly cumulative: readonly GroupHistogram[];
  readonly intervals: readonly Interval[];
  readonly narrow: readonly GroupHistogram[];
  /** Its books, and whatever came as single samples. */
  readonly books: Measured;
  /** What a session with single samples says of the same traffic. */
  readonly samples: readonly Sample[];
}

/** Two sessions under the same traffic through a relay of 20 ms each way: one counts, the other gives samples. */
async function told(scope: Scope): Promise<Told> {
  const network = await relayed(scope, { delay: "20ms" });
  const { service, client: endpoint, server } = await stage(scope, network);
  for (const port of PORTS) await server.listen(port);
  const { client } = service;
  const [counting, sampling] = [await client.create(GROUPED), await client.create(SPEC)];
  const source = { session: counting.name };
  const cumulative = await HistogramStream.open(client, { ...source, cumulative: true });
  const intervals = await HistogramStream.open(client, { ...source, interval: { nanos: 100_000_000 } });
  const narrow = await HistogramStream.open(client, { ...source, cumulative: true, maxGroups: 1 });
  for (const host of [SERVER.v4, SERVER.v6]) for (const port of PORTS) await echoes(endpoint, host, port);
  // The last acknowledgement may be a delayed one, which must not pass between the two stops.
  for (const { name } of [counting, sampling]) {
    await eventually("every latency is measured", async () => (await measured(client, name)) >= LATENCIES);
  }
  for (const { name } of [counting, sampling]) await stop(client, name);

  const [all, parts, few] = [await cumulative.ended(), await intervals.ended(), await narrow.ended()];
  for (const { end } of [all, parts, few]) {
    expect(end.reason).toBe(EndReason.SESSION_STOPPED);
    expect(end.totals?.delivered).toBe(end.sessionTotals?.measured);
  }
  return {
    network,
    client,
    session: counting.name,
    cumulative: all.intervals.at(-1)?.groups ?? [],
    intervals: parts.intervals,
    narrow: few.intervals.at(-1)?.groups ?? [],
    books: await history(client, counting.name),
    samples: (await history(client, sampling.name)).samples,
  };
}

async function measured(client: Client, name: string): Promise<bigint> {
  const request = GetSessionRequest.fromPartial({ name });
  const { session } = await unary<GetSessionResponse>((answer) => client.sessions.getSession(request, answer));
  return session?.stats?.totals?.measured ?? 0n;
}

async function echoes(endpoint: Endpoint, host: string, port: number): Promise<void> {
  const connection = await endpoint.connect(host, port);
  for (let n = 0; n < ECHOES; n++) await connection.echo(100);
}

/** Latencies in nanoseconds of the samples that a group counts, ascending. */
function latencies(samples: readonly Sample[], { metric, keys }: Group): bigint[] {
  const prefix = (address: string) => (address.includes(":") ? "fd77::/48" : "10.77.0.0/24");
  return samples
    .filter(({ flow, metric: of }) => of === metric && String(flow?.serverPort) === keys["server_port"])
    .filter(({ flow }) => prefix(flow?.clientAddress ?? "") === keys["client_prefix"])
    .map(({ latency }) => (latency?.seconds ?? 0n) * 1_000_000_000n + BigInt(latency?.nanos ?? 0))
    .sort((a, b) => Number(a - b));
}

function parts({ group, histogram }: GroupHistogram): { group: Group; histogram: Histogram } {
  if (group === undefined || histogram === undefined) throw new Error("a group without its histogram");
  return { group, histogram };
}

describe("histograms that the kernel counts", () => {
  const scope = scopeOfEachTest();

  test("say of each group what the samples of another session say, to the nanosecond and the bucket", async () => {
    const { network, client, session, cumulative, intervals, narrow, books, samples } = await told(scope);
    expect((await network.stopRelay()).overrun).toEqual([0, 0]);

    // The books: every latency is in the histograms, none became a sample.
    expect(books.samples).toEqual([]);
    expectBalanced(books.totals);
    expect(books.totals).toMatchObject({ aggregatedOnly: books.totals.measured, delivered: 0n, losses: [] });
    expect(counted(cumulative)).toBe(books.totals.measured);
    expect(books.totals.measured).toBe(BigInt(samples.length));

    // Two metrics of two ports and the clients' two prefixes.
    const groups = cumulative.map((each) => parts(each));
    expect(groups).toHaveLength(2 * 2 * 2);
    for (const { group, histogram } of groups) {
      const sorted = latencies(samples, group);
      expect(histogram).toMatchObject({
        scale: 3,
        count: BigInt(sorted.length),
        sumNs: sorted.reduce((sum, each) => sum + each, 0n),
        minNs: sorted[0],
        maxNs: sorted.at(-1),
      });
      for (const q of QUANTILES) {
        const exact = Number(sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1]);
        const bound = Number(quantileOf(histogram, q));
        expect(bound).toBeGreaterThanOrEqual(exact);
        expect(bound).toBeLessThanOrEqual(exact * WIDTH);
      }
      // The relay's delay, there and back.
      if (group.metric === Metric.TCP_HANDSHAKE_REMOTE) expect(histogram.minNs).toBeGreaterThanOrEqual(40_000_000n);
    }

    // What the intervals counted comes to the same.
    expect(intervals.length).toBeGreaterThan(1);
    for (const { group, histogram } of groups) {
      const own = intervals.flatMap((interval) => interval.groups.map((each) => parts(each)));
      const summed = own
        .filter((each) => JSON.stringify(each.group) === JSON.stringify(group))
        .reduce((sum, each) => sumOf(sum, each.histogram), Histogram.fromPartial({ scale: 3 }));
      const extremes = { minNs: undefined, maxNs: undefined };
      expect({ ...summed, ...extremes }).toEqual({ ...histogram, ...extremes });
    }
    expect(intervals.reduce((sum, { totals }) => sum + (totals?.measured ?? 0n), 0n)).toBe(books.totals.measured);

    // With room for one group the largest stays, the rest is `other` of its metric.
    expect(narrow.map((each) => parts(each).group.other)).toEqual([false, true, true]);
    expect(narrow[0]).toEqual(cumulative[0]);
    expect(counted(narrow)).toBe(books.totals.measured);

    // A snapshot says the same of the same groups, in their order.
    const request = GetSnapshotRequest.fromPartial({ session, quantiles: QUANTILES });
    const snapshot = await unary<GetSnapshotResponse>((answer) => client.samples.getSnapshot(request, answer));
    expect(snapshot).toMatchObject({
      totalGroups: groups.length,
      stats: { totals: { measured: books.totals.measured } },
    });
    expect(snapshot.groups.map(({ group, count, quantiles }) => ({ group, count, quantiles }))).toEqual(
      groups.map(({ group, histogram }) => ({
        group,
        count: histogram.count,
        quantiles: QUANTILES.map((quantile) => ({
          quantile,
          latencySeconds: Number(quantileOf(histogram, quantile)) / 1e9,
        })),
      })),
    );
  });

  test("come to a loop in TypeScript, whose session ends when it is left", async () => {
    const { service, client, server } = await stage(scope);
    await server.listen(PORTS[0]);
    using latscope = connect(`unix:${service.socket}`);
    const spec = { probes: [{ tcp: {} }], interfaces: [CLIENT.interface], collection: { histogramsOnly: true } };
    let counts = 0n;
    let connection: Connection | undefined;
    for await (const { startNs, endNs, groups } of latscope.histograms({ spec, intervalMs: 100 })) {
      expect(endNs).toBeGreaterThan(startNs);
      // The first interval says that the session measures.
      connection ??= await client.connect(SERVER.v4, PORTS[0]);
      counts += counted(groups);
      if (counts === 2n) break;
    }
    await eventually("no session is left", async () => {
      const list = ListSessionsRequest.fromPartial({});
      const { sessions } = await unary<ListSessionsResponse>((done) =>
        latscope.sessionService.listSessions(list, done),
      );
      return sessions.every(({ state }) => state === SessionState.STOPPED);
    });
  });
});
