import { Metric, RefusalReason, type Sample, type Totals } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { Injector, WIRE, type Step } from "../harness/injector.js";
import { measure, milliseconds, refusals } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import type { Segment } from "../harness/tcp.js";

type Make = (more: Partial<Segment>) => Segment;

/** Segments of one hand-made connection: end a opens it with sequence number 1000, end b answers with 5000. */
function connection(ipv6: boolean): { a: Make; b: Make; open: Step[] } {
  const ports = { sourcePort: 40_000, destinationPort: 443, ipv6 };
  const a: Make = (more) => ({ from: "a", ...ports, sequence: 1_001, acknowledges: 5_001, ...more });
  const b: Make = (more) => ({
    ...{ from: "b", sourcePort: 443, destinationPort: 40_000, ipv6, sequence: 5_001, acknowledges: 1_001 },
    ...more,
  });
  const syn: Segment = { from: "a", ...ports, sequence: 1_000, syn: true };
  return { a, b, open: [syn, b({ sequence: 5_000, syn: true }), a({})] };
}

function rtts(samples: readonly Sample[]): Sample[] {
  return samples.filter((sample) => sample.metric === Metric.TCP_RTT);
}

function reasons(totals: Totals): Record<string, bigint> {
  return Object.fromEntries(totals.refusals.map(({ reason, count }) => [RefusalReason[reason], count]));
}

describe.each([
  ["IPv4", false],
  ["IPv6", true],
])("hand-made segments, %s", (_, ipv6) => {
  const scope = scopeOfEachTest();
  const { a, b, open } = connection(ipv6);

  async function played(...steps: Step[]): Promise<{ samples: readonly Sample[]; totals: Totals }> {
    const injector = await Injector.start(scope);
    const service = await Service.start(scope, injector.namespace);
    const spec = { probes: [{ tcp: {} }], interfaces: [WIRE.a] };
    return measure(service.client, spec, () => injector.play(...open, ...steps));
  }

  test("a segment and its acknowledgement give one round trip", async () => {
    const { samples, totals } = await played(a({ payload: 100 }), { waitMs: 5 }, b({ acknowledges: 1_101 }));
    const [rtt, ...more] = rtts(samples);
    expect(more).toEqual([]);
    expect(rtt && milliseconds(rtt)).toBeGreaterThanOrEqual(5);
    expect(rtt?.flow).toMatchObject({ clientPort: 40_000, serverPort: 443, measuredFromServer: false });
    expect(totals.refusals).toEqual([]);
  });

  test("a segment sent twice gives none, and RETRANSMITTED counts one", async () => {
    const { samples, totals } = await played(
      a({ payload: 100 }),
      { waitMs: 2 },
      a({ payload: 100 }),
      { waitMs: 2 },
      b({ acknowledges: 1_101 }),
    );
    expect(rtts(samples)).toEqual([]);
    expect(reasons(totals)).toEqual({ RETRANSMITTED: 1n });
  });

  test("what comes after a retransmission is measured again", async () => {
    const { samples, totals } = await played(
      a({ payload: 100 }),
      a({ payload: 100 }),
      b({ acknowledges: 1_101 }),
      a({ sequence: 1_101, payload: 50 }),
      { waitMs: 3 },
      b({ acknowledges: 1_151 }),
    );
    const [rtt, ...more] = rtts(samples);
    expect(more).toEqual([]);
    expect(rtt && milliseconds(rtt)).toBeGreaterThanOrEqual(3);
    expect(refusals(totals, RefusalReason.RETRANSMITTED)).toBe(1n);
  });

  test("a keep-alive and its answer give none", async () => {
    const { samples } = await played(a({ sequence: 1_000 }), { waitMs: 2 }, b({}), { waitMs: 2 }, b({}));
    expect(rtts(samples)).toEqual([]);
  });

  test("an acknowledgement of what was never sent gives none", async () => {
    const { samples } = await played(a({ payload: 100 }), { waitMs: 2 }, b({ acknowledges: 1_201 }));
    expect(rtts(samples)).toEqual([]);
  });
});
