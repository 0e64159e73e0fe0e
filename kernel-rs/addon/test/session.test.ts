import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  End,
  EndReason,
  Session,
  SessionChange,
  SessionSpec,
  SessionState,
  SessionStats,
  StreamSamplesRequest,
  StreamSamplesResponse,
  Totals,
} from "@latscope/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Collector, type ReaderHandle, type SessionHandle } from "../index.js";

const scope = { principal: "uid:0" };
const header = { node: "nodes/test", session: "sessions/life", scope };
const root = process.getuid?.() === 0;

function spec(partial: object = {}): Buffer {
  const probes = [{ kind: { $case: "tcp" as const, value: {} } }];
  return Buffer.from(SessionSpec.encode(SessionSpec.fromPartial({ probes, interfaces: ["lo"], ...partial })).finish());
}

function request(partial: object = {}): Buffer {
  return Buffer.from(StreamSamplesRequest.encode(StreamSamplesRequest.fromPartial(partial)).finish());
}

async function message(reader: ReaderHandle): Promise<StreamSamplesResponse> {
  const bytes = await reader.next();
  if (bytes === null) throw new Error("the stream is over");
  return StreamSamplesResponse.decode(bytes);
}

/** Attaching needs CAP_BPF and CAP_NET_ADMIN. */
describe.skipIf(!root)("a session (CAP_BPF, CAP_NET_ADMIN)", () => {
  let collector: Collector;
  let session: SessionHandle;

  beforeEach(async () => {
    collector = Collector.open({ node: header.node });
    session = await collector.start("life", spec(), scope);
  });

  afterEach(() => {
    session.close();
    collector.close();
  });

  it("runs, with defaults filled in", async () => {
    expect(session.id).toBe("life");
    const { state, probeStatuses } = Session.decode(session.probes());
    expect(state).toBe(SessionState.RUNNING);
    expect(probeStatuses.map(({ attached }) => attached)).toEqual([true]);
    expect(SessionSpec.decode(session.effectiveSpec()).collection?.maxSamplesPerSecond).toBe(50_000);
    expect(SessionStats.decode(await session.stats(false)).subscribers).toBe(0);
  });

  it("updates what may change and refuses the rest", async () => {
    const filters = [{ cidrs: ["127.0.0.1"] }];
    expect(SessionSpec.decode(await session.update(spec({ filters }), scope)).filters[0]?.cidrs).toEqual([
      "127.0.0.1/32",
    ]);
    await expect(session.update(spec({ interfaces: [] }), scope)).rejects.toMatchObject({ code: "FIELD_INVALID" });
    expect(SessionSpec.decode(session.effectiveSpec()).filters).toHaveLength(1);
  });

  it("ends its readers when it stops, and tells the change", async () => {
    const reader = session.reader(request(), header);
    const start = await message(reader);
    expect(start.event?.$case).toBe("start");
    expect([start.node, start.session]).toEqual([header.node, header.session]);
    const change = session.changes();
    await Promise.all([session.stop(EndReason.SESSION_STOPPED), session.stop(EndReason.DRAINING)]);
    expect(SessionChange.decode((await change) ?? Buffer.alloc(0)).state).toBe(SessionState.STOPPED);
    const { event } = await last(reader);
    expect(event?.$case === "end" && event.value.reason).toBe(EndReason.SESSION_STOPPED);
    expect(await reader.next()).toBeNull();
    const late = session.reader(request({ noFollow: true }), header);
    expect((await last(late)).event?.$case).toBe("end");
    await expect(session.update(spec(), scope)).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("ends one reader for its own reason", async () => {
    const reader = session.reader(request(), header);
    await message(reader);
    const pending = message(reader);
    reader.end(EndReason.ACCESS_REVOKED);
    let { event } = await pending;
    while (event?.$case !== "end") ({ event } = await message(reader));
    expect(End.fromPartial(event.value).reason).toBe(EndReason.ACCESS_REVOKED);
    expect(Totals.decode(reader.totals()).measured).toBe(0n);
    expect(SessionStats.decode(await session.stats(false)).subscribers).toBe(1);
  });

  it("lets only one next wait, and answers it when it closes", async () => {
    const reader = session.reader(request({ filters: [{ cidrs: ["192.0.2.1"] }] }), header);
    await message(reader);
    const pending = reader.next();
    await expect(reader.next()).rejects.toMatchObject({ code: "NEXT_CONCURRENT" });
    reader.close();
    reader.close();
    expect(await pending).toBeNull();
    expect(await reader.next()).toBeNull();
  });

  it("refuses what a reader cannot ask for, at once", () => {
    const wrong = request({ start: { $case: "cursor", value: "nonsense" } });
    expect(() => session.reader(wrong, header)).toThrow(expect.objectContaining({ code: "CURSOR_INVALID" }));
    expect(() => session.reader(Buffer.from([0xff]), header)).toThrow(
      expect.objectContaining({ code: "MESSAGE_MALFORMED" }),
    );
  });

  it("is gone once closed, for all who ask", async () => {
    const reader = session.reader(request(), header);
    await message(reader);
    const changes = (async () => {
      while ((await session.changes()) !== null);
    })();
    session.close();
    session.close();
    await changes;
    await expect(session.stats(false)).rejects.toMatchObject({ code: "CLOSED" });
    await expect(session.update(spec(), scope)).rejects.toMatchObject({ code: "CLOSED" });
    expect(() => session.reader(request(), header)).toThrow(expect.objectContaining({ code: "CLOSED" }));
    const { event } = await last(reader);
    expect(event?.$case === "end" && event.value.reason).toBe(EndReason.SESSION_DELETED);
  });

  it("is closed with its collector", async () => {
    collector.close();
    await expect(session.stats(false)).rejects.toMatchObject({ code: "CLOSED" });
  });

  it.each(["idle", "closed"])("does not keep a process alive: %s", async (how) => {
    const program = fileURLToPath(new URL("process.js", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program, how], { timeout: 30_000 });
    expect(stdout).toBe("over\n");
  });
});

/** The last message of a stream that is ending. */
async function last(reader: ReaderHandle): Promise<StreamSamplesResponse> {
  let end = await message(reader);
  for (let bytes = await reader.next(); bytes !== null; bytes = await reader.next()) {
    end = StreamSamplesResponse.decode(bytes);
  }
  return end;
}
