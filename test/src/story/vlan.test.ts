import { Metric } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { Injector, WIRE } from "../harness/injector.js";
import { measure } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import type { Segment } from "../harness/tcp.js";

/**
 * What is sent bears its tags in the frame; of what is received the kernel has taken the outer tag off, and keeps it beside the packet.
 */
describe("rule 16: tags in the frame and beside the packet", () => {
  const scope = scopeOfEachTest();

  test.each([
    ["one tag", [7]],
    ["two tags", [7, 8]],
  ])("%s: both ways are one flow", async (_, vlans) => {
    const injector = await Injector.start(scope);
    const service = await Service.start(scope, injector.namespace);
    const a = { from: "a", sourcePort: 40_000, destinationPort: 443, vlans } as const;
    const b = { from: "b", sourcePort: 443, destinationPort: 40_000, vlans } as const;
    const segments: Segment[] = [
      { ...a, sequence: 1_000, syn: true },
      { ...b, sequence: 5_000, acknowledges: 1_001, syn: true },
      { ...a, sequence: 1_001, acknowledges: 5_001 },
      { ...a, sequence: 1_001, acknowledges: 5_001, payload: 10 },
      { ...b, sequence: 5_001, acknowledges: 1_011 },
    ];
    const spec = { probes: [{ tcp: {} }], interfaces: [WIRE.a] };
    const { samples, totals } = await measure(service.client, spec, () => injector.play(...segments));
    expect(samples.map((sample) => [sample.metric, sample.flow?.vlanId])).toEqual([
      [Metric.TCP_HANDSHAKE_REMOTE, 7],
      [Metric.TCP_HANDSHAKE_LOCAL, 7],
      [Metric.TCP_RTT, 7],
    ]);
    expect(totals.refusals).toEqual([]);
  });
});
