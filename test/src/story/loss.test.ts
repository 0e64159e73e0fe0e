import { LossStage, type StreamSamplesResponse } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { stop } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { stage } from "../harness/stage.js";
import { CLIENT, SERVER } from "../harness/topology.js";

const ECHOES = 500;

function told(messages: readonly StreamSamplesResponse[], stage: LossStage): bigint {
  return messages.reduce((sum, { event }) => {
    return event?.$case === "loss" && event.value.stage === stage ? sum + event.value.count : sum;
  }, 0n);
}

describe("a session above its cap", () => {
  const scope = scopeOfEachTest();

  test("tells its readers in the stream what the kernel side withheld, and the books balance", async () => {
    const { service, client, server } = await stage(scope);
    await server.listen(443);
    const spec = {
      probes: [{ tcp: { metrics: ["METRIC_TCP_RTT"] } }],
      interfaces: [CLIENT.interface],
      collection: { maxSamplesPerSecond: 1 },
    };
    const { name } = await service.client.create(spec);
    const reader = service.client.stream({ session: name });
    await reader.started();
    const connection = await client.connect(SERVER.v4, 443);
    for (let n = 0; n < ECHOES; n++) await connection.echo(1);
    const { event } = await reader.until("loss");
    expect(event).toMatchObject({ $case: "loss", value: { stage: LossStage.KERNEL_RATE_LIMIT } });
    await stop(service.client, name);
    const { totals, sessionTotals } = await reader.ended();
    const withheld = told(reader.messages, LossStage.KERNEL_RATE_LIMIT);
    expect(sessionTotals?.losses).toMatchObject([{ stage: LossStage.KERNEL_RATE_LIMIT, count: withheld }]);
    expect(totals?.delivered).toBe(BigInt(reader.samples.length));
    expect(sessionTotals?.measured).toBe(BigInt(reader.samples.length) + withheld);
    expect(sessionTotals?.measured).toBeGreaterThanOrEqual(BigInt(ECHOES));
    expect(sessionTotals?.inFlight).toBe(0n);
  });
});
