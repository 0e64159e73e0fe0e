import { EndReason, SessionSpec, SessionState, StopReason } from "@latscope/proto";
import { beforeEach, describe, expect, it } from "vitest";
import { createLogger } from "../log/logger.js";
import { Sessions } from "../session/sessions.js";
import { CollectorDouble } from "../testing/collector-double.js";
import { Guard } from "./guard.js";

const log = await createLogger("silent");
const window = 10_000;
const spec = SessionSpec.fromPartial({ probes: [{ kind: { $case: "tcp", value: {} } }] });

const scope = { principal: "uid:0", targets: undefined, redaction: undefined };

let now = 0;
let ran = 0n;
let collector: CollectorDouble;
let guard: Guard;
let sessions: Sessions;

beforeEach(() => {
  now = 0;
  ran = 0n;
  collector = new CollectorDouble();
  const ceilings = { cpuShare: 0.02, memory: 1000 };
  guard = new Guard({ collector, log, ceilings, windowMs: window, now: () => now, processors: 2 });
  const history = { each: 1n, most: 1n, total: 100n };
  sessions = new Sessions({
    collector,
    log,
    limit: 10,
    history,
    admit: () => {
      guard.admit();
    },
  });
  guard.watch(sessions);
  return () => {
    guard.close();
    sessions.close();
  };
});

const start = (id: string) =>
  sessions.create({ id, owner: "uid:0", displayName: "", labels: {}, spec, grant: { spec, scope } });

/** So many windows in which programs took a share of the two processors. */
async function spend(share: number, windows: number): Promise<void> {
  for (let part = 0; part < windows * 5; part += 1) {
    now += window / 5;
    ran += BigInt(Math.round(share * 2 * (window / 5) * 1e6));
    collector.host = {
      ...collector.host,
      bpfTime: { seconds: ran / 1_000_000_000n, nanos: Number(ran % 1_000_000_000n) },
    };
    await guard.check();
  }
}

/** The caps that a session was told of, in order. */
function caps(id: string): (number | null)[] | undefined {
  return collector.sessions.get(id)?.thinned.map(([cap]) => cap);
}

describe("the guard", () => {
  it("leaves alone what stays below the ceiling", async () => {
    await start("a");
    await guard.check();
    await spend(0.0199, 5);
    expect(caps("a")).toEqual([]);
    expect(guard.status).toMatchObject({ maxCpuShare: 0.02, maxKernelMemoryBytes: 1000n, thinnings: 0n });
    expect(guard.status.cpuShare).toBeCloseTo(0.0199, 6);
    expect(guard.status.samplesPerSecond).toBeUndefined();
  });

  it("thins step by step, a window each, then stops the youngest, and lets nobody in for a while", async () => {
    await start("a");
    await start("b");
    await guard.check();
    await spend(0.03, 1);
    expect([caps("a"), caps("b")]).toEqual([[5000], [5000]]);
    const [[, why] = []] = collector.sessions.get("a")?.thinned ?? [];
    expect(why).toBe(
      "at most 5000 samples a second and CPU: eBPF programs took 3.00 % of the host's processors in 10 s, and 2.00 % is granted (--overhead-cpu)",
    );
    await spend(0.03, 2);
    expect(caps("a")).toEqual([5000, 500, 50]);
    expect(collector.sessions.get("b")?.stopped).toBeUndefined();
    await spend(0.03, 1);
    expect(collector.sessions.get("b")).toMatchObject({
      stopped: EndReason.SESSION_STOPPED,
      why: "STOP_REASON_OVERHEAD",
    });
    expect(sessions.get("sessions/b", "name")).toMatchObject({
      state: SessionState.STOPPED,
      stopReason: StopReason.OVERHEAD,
    });
    expect(sessions.get("sessions/a", "name").running).toBe(true);
    await expect(start("c")).rejects.toMatchObject({
      reason: "OVERHEAD_LIMIT",
      status: "RESOURCE_EXHAUSTED",
      details: { retryAfterMs: 3 * window },
    });
    await spend(0.01, 3);
    await start("c");
    expect(guard.status).toMatchObject({ thinnings: 3n, stoppedSessions: 1n, refusedSessions: 1n });
  });

  it("thins what comes later, and takes steps back when the load has long been low", async () => {
    await start("a");
    await guard.check();
    await spend(0.03, 2);
    await start("b");
    await spend(0.015, 1);
    expect([caps("a"), caps("b")]).toEqual([[5000, 500], [500]]);
    await spend(0.015, 5);
    expect(caps("a")).toEqual([5000, 500]);
    await spend(0.005, 1);
    expect([caps("a"), caps("b")]).toEqual([
      [5000, 500, 5000],
      [500, 5000],
    ]);
    await spend(0.005, 3);
    expect([caps("a"), caps("b")]).toEqual([
      [5000, 500, 5000, null],
      [500, 5000, null],
    ]);
    await spend(0.005, 4);
    expect(guard.status).toMatchObject({ thinnings: 2n, restorations: 2n, stoppedSessions: 0n });
  });

  it("stops the youngest for memory at once", async () => {
    await start("a");
    await start("b");
    collector.host = { kernelMemoryBytes: 1001n };
    await guard.check();
    expect(collector.sessions.get("b")?.stopped).toBe(EndReason.SESSION_STOPPED);
    expect(collector.sessions.get("a")?.stopped).toBeUndefined();
    expect(caps("a")).toEqual([]);
  });

  it("forgets everything when no session runs", async () => {
    const record = await start("a");
    await guard.check();
    await spend(0.03, 1);
    await sessions.stop(record, StopReason.REQUESTED);
    await guard.check();
    expect(guard.status.samplesPerSecond).toBeUndefined();
    await start("b");
    await guard.check();
    expect(caps("b")).toEqual([]);
  });
});
