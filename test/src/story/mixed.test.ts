import { DeleteSessionRequest, SessionState, type DeleteSessionResponse } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { bpfObjectsOf, stillThere, total } from "../harness/bpf.js";
import { unary, type SpecJson } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { stop } from "../harness/measure.js";
import { randomFrom } from "../harness/random.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { CLIENT, direct } from "../harness/topology.js";
import { held, residentKib } from "../load/cycles.js";

/** A session of every engine, and of everything that a program can be attached to on any host. */
const KINDS: readonly SpecJson[] = [
  { probes: [{ tcp: {} }], interfaces: [CLIENT.interface] },
  { probes: [{ dns: {} }, { icmp: {} }], interfaces: [CLIENT.interface], collection: { histogramsOnly: true } },
  { probes: [{ socket: {} }] },
  { probes: [{ socket: {} }], collection: { histogramsOnly: true, groupBy: ["GROUP_BY_CGROUP"] } },
  { probes: [{ syscall: { names: ["getppid"] } }] },
  { probes: [{ runQueue: {} }, { offCpu: {} }], filters: [{ comms: ["nobody"] }] },
  { probes: [{ blockIo: {} }, { softirq: {} }], collection: { histogramsOnly: true } },
  { probes: [{ cpuStall: {} }], collection: { histogramsOnly: true } },
  { probes: [{ userFunction: { binary: "libc", symbol: "getaddrinfo" } }] },
  { probes: [{ tcp: {} }, { socket: {} }, { syscall: { failedOnly: true } }], interfaces: [CLIENT.interface] },
];
/** Sessions at once. */
const MOST = 12;

async function remove({ client }: Service, name: string): Promise<void> {
  const request = DeleteSessionRequest.fromPartial({ name });
  await unary<DeleteSessionResponse>((answer) => client.sessions.deleteSession(request, answer));
}

describe("sessions of all kinds", () => {
  const scope = scopeOfEachTest();

  test("100 of them, started and stopped in any order, leave everything as it was", { timeout: 180_000 }, async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client);
    const begin = async (spec: SpecJson): Promise<string> => {
      const { name, state } = await service.client.create(spec);
      expect(state, JSON.stringify(spec)).toBe(SessionState.RUNNING);
      return name;
    };
    const end = async (name: string): Promise<void> => {
      await stop(service.client, name);
      await remove(service, name);
    };
    // What is loaded once and kept is loaded by the first of each kind.
    for (const spec of KINDS) await end(await begin(spec));
    const before = await held(service);
    expect(before.links).toBe(0);
    const resident = await residentKib(service);

    const seed = Date.now() >>> 0;
    const random = randomFrom(seed);
    const pick = (length: number): number => Math.floor(random() * length);
    const running: string[] = [];
    for (let begun = 0; begun < 100 || running.length > 0;) {
      if (begun < 100 && running.length < MOST && (running.length === 0 || random() < 0.6)) {
        running.push(await begin(KINDS[pick(KINDS.length)] ?? {}));
        begun++;
      } else {
        const [name = ""] = running.splice(pick(running.length), 1);
        await end(name);
      }
    }
    await eventually(`everything is as before (seed ${String(seed)})`, async () => {
      return JSON.stringify(await held(service)) === JSON.stringify(before);
    });
    // Histories of 32 MiB that were kept would be seen.
    expect((await residentKib(service)) - resident, `seed ${String(seed)}`).toBeLessThan(48 * 1024);
  });

  test("a killed service leaves none of them attached", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client);
    await Promise.all(KINDS.map((spec) => service.client.create(spec)));
    const objects = await bpfObjectsOf(service.process.pid);
    // Two of tc, one of sockets, the call and return of a function, a timer for each CPU, and the tracepoints.
    expect(objects.links.length).toBeGreaterThan(12);
    service.process.kill("SIGKILL");
    await service.process.exit;
    await eventually("nothing is left", async () => total(await stillThere(objects)) === 0);
  });
});
