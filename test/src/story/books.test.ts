import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { anyAction } from "../harness/actions.js";
import { ALL_TCP } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { Injector, WIRE } from "../harness/injector.js";
import { Interleaving, Seen, type World } from "../harness/interleaving.js";
import { Namespace } from "../harness/netns.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";

/** How many interleavings, and which: LATSCOPE_RUNS and LATSCOPE_SEED choose others. A failure prints its path, too. */
const RUNS = Number(process.env["LATSCOPE_RUNS"] ?? 6);
const SEED = Number(process.env["LATSCOPE_SEED"] ?? 5);

async function interleave(world: World, mostSamples: number): Promise<Seen> {
  const seen = new Seen();
  const actions = fc.array(anyAction(mostSamples), { minLength: 20, maxLength: 60 });
  const property = fc.asyncProperty(actions, (actions) => new Interleaving(world, seen).run(actions));
  await fc.assert(property, {
    numRuns: RUNS,
    seed: SEED,
    endOnFailure: true,
    interruptAfterTimeLimit: 240_000,
    markInterruptAsFailure: false,
  });
  return seen;
}

describe(`the books of sessions and of their readers balance to the sample whatever is done, in whatever order (seed ${SEED})`, () => {
  const scope = scopeOfEachTest();

  test("of what a kernel measures", { timeout: 300_000 }, async () => {
    const wire = await Injector.start(scope);
    const { client } = await Service.start(scope, wire.namespace);
    const spec = { ...ALL_TCP, interfaces: [WIRE.a] };
    const traffic = (segments: number): Promise<void> =>
      wire.play({ flood: { connections: 8, segments, perSecond: 100_000 } });
    const seen = await interleave({ client, spec, traffic }, 30_000);
    for (const [name, count] of Object.entries(seen)) expect(Number(count), name).toBeGreaterThan(0);
  });

  test("of what comes at a steady rate, of which one in a thousand is lost", { timeout: 300_000 }, async () => {
    const synthetic = "per_second=30000,lose=1000";
    const { client } = await Service.start(scope, await Namespace.create(scope), { synthetic });
    const traffic: World["traffic"] = async (samples, measured) => {
      const before = await measured();
      if (before === undefined) return;
      const wanted = before + BigInt(samples);
      await eventually("they are measured", async () => ((await measured()) ?? wanted) >= wanted);
    };
    const seen = await interleave({ client, spec: ALL_TCP, traffic }, 30_000);
    for (const [name, count] of Object.entries(seen)) expect(Number(count), name).toBeGreaterThan(0);
  });
});
