import { LossStage } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { ALL_TCP } from "../harness/client.js";
import { failureOf } from "../harness/failure.js";
import { Namespace } from "../harness/netns.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { lostByReader } from "../harness/stream.js";
import { direct, CLIENT } from "../harness/topology.js";

describe("a principal's quota", () => {
  const scope = scopeOfEachTest();

  test("of samples a second holds its streams up, which lose by their own policy and are told", async () => {
    const namespace = await Namespace.create(scope);
    const { client } = await Service.start(scope, namespace, {
      flags: ["--quota-samples-per-second", "2000"],
      synthetic: "per_second=400000",
    });
    const { name } = await client.create({ ...ALL_TCP, limits: { historyBytes: "0" } });
    const stream = client.stream({ session: name, maxBatchBytes: 4096 });
    const { event } = await stream.until("loss");
    expect(event).toMatchObject({ value: { stage: LossStage.SUBSCRIBER_QUEUE } });
    // Of 400000 a second it gets 2000: in the second until the next Loss it loses more than it gets in all.
    const more = await stream.until("loss");
    expect(lostByReader(more)).toBeGreaterThan(BigInt(stream.samples.length));
    stream.cancel();
  });

  test("of kernel memory refuses what would exceed it, and nothing of it stays attached", async () => {
    const network = await direct(scope);
    const { client } = await Service.start(scope, network.client, {
      flags: ["--quota-kernel-memory", "12MiB", "--packet-flows", "2048"],
    });
    const spec = { ...ALL_TCP, interfaces: [CLIENT.interface] };
    const { stats } = await client.create(spec);
    // Tables that two sessions share count once.
    const { name } = await client.create(spec);
    expect(name).not.toBe("");
    expect(Number(stats?.kernelMemoryBytes)).toBeLessThan(12 * 1024 * 1024);
    const elsewhere = Array.from({ length: 3 }, () => Namespace.create(scope));
    const paths = (await Promise.all(elsewhere)).map(({ path }) => path);
    const refused = await failureOf(client.create({ probes: [{ tcp: {} }], networkNamespaces: paths }));
    expect(refused).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "KERNEL_MEMORY_QUOTA",
      quotas: ["kernel_memory"],
    });
  });
});
