import { describe, expect, test } from "vitest";

import { bpfObjectsOf, stillThere, total, type BpfObjects } from "../harness/bpf.js";
import { ALL_TCP } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { GrpcurlStream } from "../harness/grpcurl.js";
import { LineProcess } from "../harness/lines.js";
import { stop } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { LATSCOPE, Service, temporaryFolder } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { qdiscKinds } from "../harness/tc.js";
import { CLIENT, direct, type Network } from "../harness/topology.js";
import { answering, Witness } from "./witness.js";

const SPECS = [
  { ...ALL_TCP, interfaces: [CLIENT.interface] },
  { probes: [{ socket: {} }] },
  { probes: [{ blockIo: {} }] },
];

/** SIGKILL in the middle of what it does. @returns what it held at that moment */
async function kill(process: LineProcess): Promise<BpfObjects> {
  // What it holds must not change between the look and the end.
  process.kill("SIGSTOP");
  const objects = await bpfObjectsOf(process.pid);
  process.kill("SIGKILL");
  expect(await process.exit).toEqual({ code: null, signal: "SIGKILL" });
  return objects;
}

async function expectNothingOf(objects: BpfObjects, { client }: Network): Promise<void> {
  await eventually("nothing is left", async () => total(await stillThere(objects)) === 0);
  expect(await qdiscKinds(client, CLIENT.interface)).toEqual(["noqueue"]);
}

describe("a service that is killed (while it runs and streams: story/cleanup, story/mixed)", () => {
  const scope = scopeOfEachTest();

  test("as it starts: the next one serves at the same socket, and measures", async () => {
    const cast = await answering(await stage(scope));
    const socket = `${await temporaryFolder(scope)}/latscope.sock`;
    for (const line of ["metrics available", "listening on"]) {
      const serve = [...LATSCOPE, "serve", "--audit", "off", "--socket", socket];
      const starting = new LineProcess(scope, cast.network.client.wrap(serve));
      await starting.lineWhere((text) => text.includes(line));
      await expectNothingOf(await kill(starting), cast.network);
    }
    const service = await Service.start(scope, cast.network.client, { socket });
    const witness = await Witness.start(cast, service);
    await witness.sees();
    await witness.settle();
  });

  test("as sessions start, and as they stop: nothing of them stays", async () => {
    const network = await direct(scope);
    const starting = await Service.start(scope, network.client);
    const asked = SPECS.map((spec) => starting.client.create(spec).catch(() => undefined));
    await eventually("programs are loaded", async () => (await bpfObjectsOf(starting.process.pid)).programs.length > 0);
    await expectNothingOf(await kill(starting.process), network);
    await Promise.all(asked);

    const stopping = await Service.start(scope, network.client, { socket: starting.socket });
    const sessions = await Promise.all(SPECS.map((spec) => stopping.client.create(spec)));
    const { pid } = stopping.process;
    const { links } = await bpfObjectsOf(pid);
    const told = sessions.map(({ name }) => stop(stopping.client, name).catch(() => undefined));
    await eventually("some are detached", async () => (await bpfObjectsOf(pid)).links.length < links.length);
    await expectNothingOf(await kill(stopping.process), network);
    await Promise.all(told);
  });

  test("as it drains, because a reader does not let go: nothing stays", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client, { flags: ["--drain-timeout", "1m"] });
    const method = "latscope.v1.SampleService/StreamSamples";
    const reader = new GrpcurlStream(scope, service.socket, method, { spec: SPECS[0] });
    expect(await reader.next()).toHaveProperty("start");
    const objects = await bpfObjectsOf(service.process.pid);
    expect(objects.links).toHaveLength(2);
    reader.process.kill("SIGSTOP");
    service.process.kill("SIGTERM");
    await service.process.stderrHas("draining");
    await kill(service.process);
    await expectNothingOf(objects, network);
  });
});
