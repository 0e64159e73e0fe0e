import {
  CreateSessionRequest,
  GetSessionRequest,
  SessionView,
  type CreateSessionResponse,
  type GetSessionResponse,
  type ProgramStats,
} from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { bpfObjectsOf, roomOf } from "../harness/bpf.js";
import { ALL_TCP, unary, type Client } from "../harness/client.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";

const SPEC = { ...ALL_TCP, interfaces: [CLIENT.interface] };

async function programs(client: Client, name: string, view = SessionView.BASIC): Promise<ProgramStats[]> {
  const request = GetSessionRequest.fromPartial({ name, view });
  const { session } = await unary<GetSessionResponse>((answer) => client.sessions.getSession(request, answer));
  return session?.stats?.programs ?? [];
}

describe("what a session costs", () => {
  const scope = scopeOfEachTest();

  test("is told of each program, and of the service as a whole", async () => {
    const { service, client, server } = await stage(scope);
    await server.listen(443);
    const { name, owner } = await service.client.create(SPEC);
    expect(owner).toBe("uid:0");
    await (await client.connect(SERVER.v4, 443)).close();
    const loaded = (await bpfObjectsOf(service.process.pid)).programs.length;
    const [way, back, ...more] = await programs(service.client, name, SessionView.FULL);
    expect(more).toEqual([]);
    expect([way?.attachedTo, back?.attachedTo]).toEqual([
      `tcx ingress: ${CLIENT.interface}`,
      `tcx egress: ${CLIENT.interface}`,
    ]);
    for (const program of [way, back]) {
      // SYN, SYN-ACK and ACK: at least one in each direction.
      expect(program?.runCount).toBeGreaterThanOrEqual(1n);
      expect(program?.runTimeNs).toBeGreaterThan(0n);
      expect(program?.bytecode).toHaveLength(program?.bytecodeBytes ?? 0);
      expect(program?.verifiedInstructions).toBeGreaterThan(0);
      expect(program?.tag).toMatch(/^[0-9a-f]{16}$/);
      expect(program?.verifierLog).toContain(`processed ${program?.verifiedInstructions ?? 0} insns`);
    }
    // The copies that were verified for that are gone.
    expect((await bpfObjectsOf(service.process.pid)).programs).toHaveLength(loaded);
    for (const { bytecode, verifierLog } of await programs(service.client, name)) {
      expect([bytecode.length, verifierLog]).toEqual([0, ""]);
    }
    const { bpfTime, cpuTime, kernelMemoryBytes, residentBytes } = await service.client.status();
    expect((bpfTime?.seconds ?? 0n) > 0n || (bpfTime?.nanos ?? 0) > 0).toBe(true);
    expect((cpuTime?.seconds ?? 0n) > 0n || (cpuTime?.nanos ?? 0) > 0).toBe(true);
    expect(kernelMemoryBytes).toBeGreaterThan(1_048_576n);
    expect(residentBytes).toBeGreaterThan(1_048_576n);
  });

  test("is not counted by the kernel where that is off", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client, { flags: ["--program-stats", "off"] });
    const { name } = await service.client.create(SPEC);
    for (const { runCount, verifiedInstructions } of await programs(service.client, name)) {
      expect(runCount).toBeUndefined();
      expect(verifiedInstructions).toBeGreaterThan(0);
    }
  });

  test("takes the kernel memory that the service's option says", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client, { flags: ["--packet-flows", "2048"] });
    const { name } = await service.client.create(SPEC);
    const [program] = await programs(service.client, name);
    expect(program?.mapBytes).toBeGreaterThan(2_000_000n);
    expect(program?.mapBytes).toBeLessThan(6_000_000n);
    const { maps } = await bpfObjectsOf(service.process.pid);
    const tables = new Map(await Promise.all(maps.map(async (id) => roomOf(id))));
    expect(Object.fromEntries(tables)).toMatchObject({
      FLOWS4: 1536,
      FLOWS6: 768,
      UDP_FLOWS4: 512,
      PENDING4: 512,
      TRANSACTIONS: 512,
    });
  });
});

describe("a session that is only validated", () => {
  const scope = scopeOfEachTest();

  test("has its programs verified, and nothing is attached", async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client);
    const { sessions } = service.client;
    const request = CreateSessionRequest.fromJSON({ session: { spec: SPEC }, validateOnly: true });
    const { session } = await unary<CreateSessionResponse>((answer) => sessions.createSession(request, answer));
    expect(session).toMatchObject({ name: "", etag: "", state: 0 });
    expect(session?.stats?.programs.map(({ name, attachedTo }) => [name, attachedTo])).toEqual([
      ["latscope_in", ""],
      ["latscope_out", ""],
    ]);
    expect(session?.stats?.programs.every(({ verifiedInstructions }) => verifiedInstructions > 1_000)).toBe(true);
    expect((await bpfObjectsOf(service.process.pid)).links).toEqual([]);
  });
});

describe("limits of the host", () => {
  const scope = scopeOfEachTest();

  test("fill in and clamp what a session asks for", async () => {
    const network = await direct(scope);
    const flags = [
      "--max-duration",
      "1h",
      "--retain",
      "5m",
      "--max-history-bytes",
      "1MiB",
      "--max-samples-per-second",
      "100",
    ];
    const { client } = await Service.start(scope, network.client, { flags });
    const plain = await client.create(SPEC);
    expect(plain.effectiveSpec).toMatchObject({
      limits: { duration: { seconds: 3_600n }, retain: { seconds: 300n }, historyBytes: 1_048_576n },
      collection: { maxSamplesPerSecond: 100 },
    });
    const greedy = await client.create({
      ...SPEC,
      limits: { duration: { seconds: "7200" }, idleTimeout: { seconds: "9999999" }, historyBytes: "999999999999" },
      collection: { maxSamplesPerSecond: 0 },
    });
    expect(greedy.spec?.limits?.duration?.seconds).toBe(7_200n);
    expect(greedy.effectiveSpec).toMatchObject({
      limits: { duration: { seconds: 3_600n }, idleTimeout: { seconds: 86_400n }, historyBytes: 1_048_576n },
      collection: { maxSamplesPerSecond: 100 },
    });
  });
});
