import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { EndReason, GroupBy, Metric } from "@latscope/proto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connect, type HistogramOptions, type Interval, type Latscope } from "./index.js";
import { TestServer, type HistogramEvent } from "./testing/server.js";

let folder: string;
let server: TestServer;
let latscope: Latscope;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latscope-client-"));
  server = await TestServer.start(join(folder, "latscope.sock"), []);
  latscope = connect(`unix:${join(folder, "latscope.sock")}`);
});

afterEach(async () => {
  latscope.close();
  await server.stop();
  await rm(folder, { recursive: true });
});

const SESSION = { session: "sessions/s-1" } as const;
const START: HistogramEvent = { $case: "start", value: {} };

function batch(second: bigint, port: string, more = false): HistogramEvent {
  const [startTime, endTime] = [second, second + 1n].map((seconds) => ({ seconds, nanos: 1 }));
  const groups = [{ group: { metric: Metric.TCP_RTT, keys: { server_port: port } }, histogram: { count: 1n } }];
  return { $case: "batch", value: { startTime, endTime, groups, more, ...(more ? {} : { totals: { measured: 2n } }) } };
}

function end(reason: EndReason): HistogramEvent {
  return { $case: "end", value: { reason } };
}

async function all(options: HistogramOptions): Promise<Interval[]> {
  const told: Interval[] = [];
  for await (const interval of latscope.histograms(options)) told.push(interval);
  return told;
}

test("an interval is whole, however many messages it took; its times are exact", async () => {
  server.histograms = [START, batch(5n, "443", true), batch(5n, "53"), batch(6n, "80"), end(EndReason.SESSION_STOPPED)];
  const onEnd = vi.fn();
  const told = await all({ ...SESSION, onEnd });
  expect(told.map(({ groups }) => groups.map(({ group }) => group?.keys["server_port"]))).toEqual([
    ["443", "53"],
    ["80"],
  ]);
  expect(told).toMatchObject([
    { startNs: 5_000_000_001n, endNs: 6_000_000_001n, totals: { measured: 2n } },
    { startNs: 6_000_000_001n },
  ]);
  expect(onEnd).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ reason: EndReason.SESSION_STOPPED }));
});

test("the request says what the options say", async () => {
  server.histograms = [START, end(EndReason.SESSION_STOPPED)];
  const keys = { groupBy: [GroupBy.SERVER_PORT], maxGroups: 7, cumulative: true };
  await all({ ...SESSION, ...keys, intervalMs: 1500 });
  await all({ spec: { probes: [{ tcp: {} }], collection: { histogramsOnly: true } } });
  await all({ ...SESSION, ungrouped: true });
  expect(server.histogramRequests).toMatchObject([
    {
      source: { $case: "session", value: "sessions/s-1" },
      interval: { seconds: 1n, nanos: 500_000_000 },
      ...keys,
    },
    {
      source: { $case: "spec", value: { probes: [{ kind: { $case: "tcp" } }], collection: { histogramsOnly: true } } },
      interval: undefined,
      cumulative: false,
    },
    { ungrouped: true },
  ]);
});

test.each([EndReason.SESSION_FAILED, EndReason.DRAINING])(
  "an end that leaves something out throws: %i",
  async (reason) => {
    server.histograms = [START, end(reason)];
    await expect(all(SESSION)).rejects.toThrow(`the stream of histograms ended: ${EndReason[reason]}`);
  },
);

test("a connection that breaks throws", async () => {
  server.histograms = [START, batch(5n, "443")];
  const broken = async (): Promise<void> => {
    for await (const interval of latscope.histograms(SESSION)) {
      expect(interval.groups).toHaveLength(1);
      await server.stop();
    }
  };
  await expect(broken()).rejects.toMatchObject({
    code: expect.toSatisfy((code) => code === status.UNAVAILABLE || code === status.CANCELLED) as number,
  });
});

test("the signal's reason is thrown, and leaving the loop ends the stream", async () => {
  server.histograms = [START, batch(5n, "443")];
  const stop = new AbortController();
  const aborted = async (): Promise<void> => {
    for await (const interval of latscope.histograms({ ...SESSION, signal: stop.signal })) {
      expect(interval.groups).toHaveLength(1);
      setImmediate(() => {
        stop.abort(new Error("enough"));
      });
    }
  };
  await expect(aborted()).rejects.toThrow("enough");
  for await (const interval of latscope.histograms(SESSION)) {
    expect(interval.groups).toHaveLength(1);
    break;
  }
  await vi.waitFor(() => {
    expect(server.closed).toBe(2);
  });
  await expect(all({ ...SESSION, signal: AbortSignal.abort(new Error("never")) })).rejects.toThrow("never");
  expect(server.histogramRequests).toHaveLength(2);
});
