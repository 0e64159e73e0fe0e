import { GetSessionRequest, type GetSessionResponse } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { BareConnection } from "../harness/bare.js";
import { ALL_TCP, Client, unary } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { Follower } from "../harness/follower.js";
import { stop } from "../harness/measure.js";
import { Namespace } from "../harness/netns.js";
import { Scope, scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { openFiles, ownMemory } from "../harness/usage.js";

const MEGABYTE = 1 << 20;

async function subscribers({ client }: Service, name: string): Promise<number | undefined> {
  const request = GetSessionRequest.fromPartial({ name });
  const { session } = await unary<GetSessionResponse>((answer) => client.sessions.getSession(request, answer));
  return session?.stats?.subscribers;
}

async function streams({ client }: Service): Promise<number> {
  return (await client.status()).streams;
}

/** 250 readers on ten connections; half of them cancel, the connections of the others vanish. Then nothing of them is left. */
async function comeAndGo(service: Service, session: string): Promise<void> {
  const scope = new Scope();
  const clients = Array.from({ length: 5 }, () => new Client(scope, `unix:${service.socket}`));
  const bare = Array.from({ length: 5 }, () => new BareConnection(service.socket));
  const readers = clients.flatMap((client) => Array.from({ length: 25 }, () => client.stream({ session })));
  await Promise.all([
    ...readers.map((reader) => reader.started()),
    ...bare.flatMap((connection) => Array.from({ length: 25 }, () => connection.stream({ session }))),
  ]);
  expect([await subscribers(service, session), await streams(service)]).toEqual([250, 250]);
  for (const reader of readers) reader.cancel();
  for (const connection of bare) connection.vanish();
  await eventually("every reader is let go", async () => (await subscribers(service, session)) === 0, 1000);
  await eventually("every stream is let go", async () => (await streams(service)) === 0, 1000);
  await scope.close();
}

describe("readers", () => {
  const scope = scopeOfEachTest();

  test("that leave take nothing with them that is not given back", async () => {
    const service = await Service.start(scope, await Namespace.create(scope));
    const { name } = await service.client.create(ALL_TCP);
    const { pid } = service.process;
    // What is loaded and kept on first use, and V8's heap at its usual size, is there after a few rounds.
    for (let round = 0; round < 3; round++) await comeAndGo(service, name);
    const files = await openFiles(pid);
    const before = await ownMemory(pid);
    for (let round = 0; round < 4; round++) {
      await comeAndGo(service, name);
      await eventually("every file is closed", async () => (await openFiles(pid)) <= files, 1000);
    }
    expect(await ownMemory(pid)).toBeLessThan(before + 12 * MEGABYTE);
  });

  test("that stall or read slowly cost the service no memory and lose to the sample what they are told", async () => {
    const namespace = await Namespace.create(scope);
    const service = await Service.start(scope, namespace, { synthetic: "per_second=50000" });
    const { name } = await service.client.create({ ...ALL_TCP, limits: { historyBytes: 0 } });
    const request = { session: name, encoding: "ENCODING_COLUMNS" };
    const policies = ["DROP_OLDEST", "DROP_NEWEST", "SAMPLE"].map((it) => `OVERFLOW_POLICY_${it}`);
    const behind = Array.from({ length: 12 }, (_, at) => {
      const client = new Client(scope, `unix:${service.socket}`);
      const follower = new Follower(client, { ...request, overflow: policies[at % policies.length] });
      follower.pause();
      return follower;
    });
    const fast = service.client.stream(request);
    const reach = async (index: bigint): Promise<void> => {
      for (;;) {
        const message = await fast.next();
        if (message === null) throw new Error("the fast reader's stream ended");
        if (message.nextIndex >= index) return;
      }
    };
    await reach(200_000n);
    const before = await ownMemory(service.process.pid);
    await reach(500_000n);
    expect(await ownMemory(service.process.pid)).toBeLessThan(before + 16 * MEGABYTE);
    await stop(service.client, name);
    await Promise.all(behind.map((follower) => follower.settle()));
    const { totals } = await fast.ended();
    expect(totals?.losses).toEqual([]);
    expect(behind.every((follower) => follower.lost > 0n)).toBe(true);
  });
});
