import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { createLogger } from "../log/logger.js";
import type { LineSink } from "../output/line-queue.js";
import type { CallRecord } from "../rpc/caller.js";
import { LineAudit } from "./audit.js";

const log = await createLogger("silent");
const second = 1_000;

class Lines implements LineSink {
  readonly name = "lines";
  readonly lines: string[] = [];

  write(lines: readonly string[]): Promise<void> {
    this.lines.push(...lines);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const call: CallRecord = {
  method: "/latscope.v1.SessionService/StopSession",
  peer: "unix",
  startedAt: 5 * second,
  principal: "uid:0",
};
const stranger: CallRecord = { ...call, principal: "", status: status.UNAUTHENTICATED, durationMs: 0 };

function read(sink: Lines): Record<string, unknown>[] {
  return sink.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("the audit", () => {
  it("tells every call in one line with the same keys", async () => {
    const sink = new Lines();
    const audit = new LineAudit(sink, log, () => 6 * second);
    audit.opened(call);
    audit.ended({
      ...call,
      session: "sessions/a",
      decision: "denied",
      rule: "ops",
      reason: "PERMISSION",
      status: status.PERMISSION_DENIED,
      durationMs: 12,
    });
    await audit.close();
    const common = { time: "1970-01-01T00:00:06.000Z", principal: "uid:0", peer: "unix" };
    const method = "latscope.v1.SessionService/StopSession";
    expect(read(sink)).toEqual([
      {
        ...common,
        event: "open",
        method,
        session: "",
        decision: "",
        rule: "",
        reason: "",
        duration_ms: 1000,
        status: "",
      },
      {
        ...{ ...common, event: "call", method, session: "sessions/a", decision: "denied", rule: "ops" },
        ...{ reason: "PERMISSION", duration_ms: 12, status: "PERMISSION_DENIED" },
      },
    ]);
    expect(audit.counts).toEqual({ written: 2, lost: 0, summarized: 0, failing: "" });
  });

  it("keeps a line a line, and short, whatever a stranger sends", async () => {
    const sink = new Lines();
    const audit = new LineAudit(sink, log, () => 0);
    audit.ended({ ...stranger, method: `/x\n{"event":"call"}\u2028\ud800${"y".repeat(5000)}` });
    await audit.close();
    expect(sink.lines).toHaveLength(1);
    expect(sink.lines[0]?.slice(0, -1)).not.toMatch(/[\n\r]/);
    expect(sink.lines[0]?.length).toBeLessThan(700);
    expect(read(sink)[0]?.["method"]).toMatch(/^x\n\{"event":"call"\}/);
  });

  it("sums up strangers that come too fast, once their second is over", async () => {
    const sink = new Lines();
    let now = 10 * second;
    const audit = new LineAudit(sink, log, () => now);
    for (let count = 0; count < 50; count += 1) audit.ended(stranger);
    now += 500;
    audit.ended({ ...call, status: status.OK });
    now += 500;
    audit.ended({ ...call, status: status.OK });
    await audit.close();
    const lines = read(sink);
    expect(lines.map(({ event, status }) => (event === "call" ? status : event))).toEqual([
      ...Array.from({ length: 20 }, () => "UNAUTHENTICATED"),
      "OK",
      "strangers",
      "OK",
    ]);
    expect(lines[21]).toMatchObject({ count: 30, from: "1970-01-01T00:00:10.000Z", to: "1970-01-01T00:00:10.000Z" });
    expect(audit.counts).toEqual({ written: 23, lost: 0, summarized: 30, failing: "" });
  });
});
