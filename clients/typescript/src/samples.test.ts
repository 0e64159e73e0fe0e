import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { EndReason, LossStage, type Loss } from "@latscope/proto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connect, type Latscope, type Sample, type SampleOptions } from "./index.js";
import { TestServer, type Script } from "./testing/server.js";

let folder: string;
let socket: string;
let latscope: Latscope;
const servers: TestServer[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latscope-client-"));
  socket = join(folder, "latscope.sock");
  latscope = connect(`unix:${socket}`);
});

afterEach(async () => {
  latscope.close();
  for (const server of servers.splice(0)) await server.stop();
  await rm(folder, { recursive: true });
});

async function serve(...scripts: Script[]): Promise<TestServer> {
  const server = await TestServer.start(socket, scripts);
  servers.push(server);
  return server;
}

async function latencies(options: SampleOptions, each?: (sample: Sample) => Promise<void>): Promise<number[]> {
  const all: number[] = [];
  for await (const sample of latscope.samples(options)) {
    all.push(Number(sample.latencyNs));
    await each?.(sample);
  }
  return all;
}

const SESSION = { session: "sessions/s-1", from: "oldest" } as const;
const SPEC = { spec: { probes: [{ tcp: {} }] } } as const;

describe("samples", () => {
  test("have exact times, and come until End", async () => {
    await serve({ until: 1, ending: "end" });
    const onEnd = vi.fn();
    for await (const sample of latscope.samples({ ...SESSION, onEnd })) {
      expect(sample).toMatchObject({ timeNs: 1_700_000_000_218_000_001n, latencyNs: 0n });
    }
    expect(onEnd).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ reason: EndReason.SESSION_STOPPED }));
  });

  test("ask for what the options say", async () => {
    const server = await serve({ until: 0, ending: "end" });
    await latencies({ ...SESSION, noFollow: true, maxSamples: 7, filters: [{ ports: [{ first: 443 }] }] });
    expect(server.requests).toMatchObject([
      {
        source: { $case: "session", value: "sessions/s-1" },
        start: { $case: "position", value: 2 },
        noFollow: true,
        maxSamples: 7n,
        filters: [{ ports: [{ first: 443 }] }],
      },
    ]);
  });

  test("losses are told", async () => {
    await serve({
      until: 2,
      ending: "end",
      first: { $case: "loss", value: { stage: LossStage.HISTORY_EVICTED, count: 5n } },
    });
    const losses: Loss[] = [];
    await latencies({ ...SESSION, onLoss: (loss) => losses.push(loss) });
    expect(losses).toMatchObject([{ stage: LossStage.HISTORY_EVICTED, count: 5n }]);
  });
});

describe("after a break", () => {
  test("go on by cursor: none twice, none left out", async () => {
    const server = await serve(
      { until: 3, ending: "break" },
      { until: 3, ending: "break" },
      { until: 7, ending: "drain" },
      { until: 9, ending: "end" },
    );
    const onReconnect = vi.fn();
    expect(await latencies({ ...SPEC, onReconnect })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(onReconnect).toHaveBeenCalledTimes(3);
    expect(server.requests).toMatchObject([
      { source: { $case: "spec", value: { probes: [{ kind: { $case: "tcp" } }] } }, linger: { seconds: 60n } },
      ...["3", "3", "7"].map((value) => ({
        source: { $case: "session", value: "sessions/s-1" },
        start: { $case: "cursor", value },
        linger: undefined,
      })),
    ]);
  });

  test("wait for a service that is down, and read the rest of what came before it went", async () => {
    const first = await serve({ until: 4, ending: "stay" });
    const onReconnect = vi.fn<NonNullable<SampleOptions["onReconnect"]>>();
    const down = async ({ latencyNs }: Sample): Promise<void> => {
      if (latencyNs !== 0n) return;
      await first.stop();
      setTimeout(() => void serve({ until: 6, ending: "end" }), 200);
    };
    expect(await latencies({ ...SESSION, onReconnect }, down)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(onReconnect.mock.calls.length).toBeGreaterThan(0);
    for (const [cause] of onReconnect.mock.calls) expect([status.UNAVAILABLE, status.CANCELLED]).toContain(cause?.code);
  });

  test("ask only for as many as are still missing", async () => {
    const server = await serve({ until: 3, ending: "break" }, { until: 9, ending: "end" });
    expect(await latencies({ ...SESSION, maxSamples: 5 })).toEqual([0, 1, 2, 3, 4]);
    expect(server.requests.map(({ maxSamples }) => maxSamples)).toEqual([5n, 2n]);
  });

  test("are over when all that were wanted had come", async () => {
    const server = await serve({ until: 3, ending: "break" });
    expect(await latencies({ ...SESSION, maxSamples: 3 })).toEqual([0, 1, 2]);
    expect(server.requests).toHaveLength(1);
  });

  test("throw when the session is gone", async () => {
    await serve({ until: 1, ending: "break" }, { until: 0, ending: "gone" });
    await expect(latencies(SESSION)).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
});

describe("the loop", () => {
  test("throws when nobody is there to begin with", async () => {
    await expect(latencies(SESSION)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  test("throws the reason of its signal, whatever it waits for", async () => {
    const server = await serve({ until: 4, ending: "stay" }, { until: 1, ending: "break" });
    const whileReading = new AbortController();
    await expect(
      latencies({ ...SPEC, signal: whileReading.signal }, ({ latencyNs }) => {
        if (latencyNs === 3n)
          setImmediate(() => {
            whileReading.abort(new Error("enough"));
          });
        return Promise.resolve();
      }),
    ).rejects.toThrow("enough");
    expect(server.deleted).toEqual(["sessions/s-1"]);

    const whileWaiting = new AbortController();
    const onReconnect = (): void => {
      whileWaiting.abort(new Error("no more"));
    };
    await expect(latencies({ ...SESSION, signal: whileWaiting.signal, onReconnect })).rejects.toThrow("no more");
    await expect(latencies({ ...SESSION, signal: AbortSignal.abort(new Error("never")) })).rejects.toThrow("never");
    expect(server.requests).toHaveLength(2);
  });

  test("takes its own session away when it is left, and lets that of others be", async () => {
    const server = await serve({ until: 2, ending: "stay" }, { until: 2, ending: "stay" });
    for await (const { latencyNs } of latscope.samples(SESSION)) if (latencyNs === 1n) break;
    await vi.waitFor(() => {
      expect(server.closed).toBe(1);
    });
    expect(server.deleted).toEqual([]);
    for await (const { latencyNs } of latscope.samples(SPEC)) if (latencyNs === 0n) break;
    expect(server.deleted).toEqual(["sessions/s-1"]);
  });
});
