import { existsSync } from "node:fs";

import { EndReason } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { bpfObjectsOf, stillThere, total } from "../harness/bpf.js";
import { ALL_TCP } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { GrpcurlStream } from "../harness/grpcurl.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { qdiscKinds } from "../harness/tc.js";
import { cycles, held } from "../load/cycles.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";

const SPEC = { ...ALL_TCP, interfaces: [CLIENT.interface] };

async function links({ process }: Service): Promise<number> {
  return (await bpfObjectsOf(process.pid)).links.length;
}

describe("a client that goes", () => {
  const scope = scopeOfEachTest();

  test("by cancelling: detached within a second", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client);
    const stream = await service.client.watch(SPEC);
    // One on the way in and one on the way out.
    expect(await links(service)).toBe(2);
    stream.cancel();
    await eventually("nothing is attached", async () => (await links(service)) === 0, 1_000);
  });

  test("by dying: detached within a second", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client);
    const stream = new GrpcurlStream(scope, service.socket, "latscope.v1.SampleService/StreamSamples", { spec: SPEC });
    expect(await stream.next()).toHaveProperty("start");
    expect(await links(service)).toBe(2);
    stream.process.kill("SIGKILL");
    await eventually("nothing is attached", async () => (await links(service)) === 0, 1_000);
  });
});

describe("sessions that come and go", () => {
  const scope = scopeOfEachTest();

  // The short form of `npm run cycles`, which makes thousands.
  test("leave descriptors, programs, maps and links as they were", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client);
    // What is loaded once and kept is loaded by the first.
    await cycles(service, SPEC, 1);
    const before = await held(service);
    await cycles(service, SPEC, 50);
    expect(await held(service)).toEqual(before);
  });
});

describe("a service that goes", () => {
  const scope = scopeOfEachTest();

  test("by SIGTERM: readers are told, exit code 0, nothing is left", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client);
    const session = (await service.client.create(SPEC)).name;
    const readers = [service.client.stream({ session }), service.client.stream({ spec: SPEC })];
    await Promise.all(readers.map((reader) => reader.started()));
    const objects = await bpfObjectsOf(service.process.pid);
    expect(objects.links).toHaveLength(2);
    service.process.kill("SIGTERM");
    for (const reader of readers) expect((await reader.ended()).reason).toBe(EndReason.DRAINING);
    expect(await service.process.exit).toEqual({ code: 0, signal: null });
    // The kernel frees maps and programs a little after the last reference is gone.
    await eventually("nothing is left", async () => total(await stillThere(objects)) === 0);
    expect(await qdiscKinds(network.client, CLIENT.interface)).toEqual(["noqueue"]);
    expect(existsSync(service.socket)).toBe(false);
  });

  test("by SIGKILL: nothing is left, and the next one serves at the same socket", async () => {
    const { network, service, client, server } = await stage(scope);
    await server.listen(443);
    const stream = await service.client.watch(SPEC);
    await client.connect(SERVER.v4, 443);
    await stream.take(1);
    const objects = await bpfObjectsOf(service.process.pid);
    expect(objects.links).toHaveLength(2);
    service.process.kill("SIGKILL");
    await service.process.exit;
    await eventually("nothing is left", async () => total(await stillThere(objects)) === 0);
    expect(await qdiscKinds(network.client, CLIENT.interface)).toEqual(["noqueue"]);
    expect(await qdiscKinds(network.client, "lo")).toEqual(["noqueue"]);

    const next = await Service.start(scope, network.client, { socket: service.socket });
    const after = await next.client.watch(SPEC, { maxSamples: "1" });
    await client.connect(SERVER.v4, 443);
    expect((await after.ended()).reason).toBe(EndReason.READER_LIMIT);
  });
});
