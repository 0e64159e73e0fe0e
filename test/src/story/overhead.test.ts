import { SessionState, SessionView, StopReason, type GetSessionResponse } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { ALL_TCP, unary, type Client } from "../harness/client.js";
import { Endpoint } from "../harness/endpoint.js";
import { failureOf } from "../harness/failure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";

const SPEC = { ...ALL_TCP, interfaces: [CLIENT.interface] };

async function session(client: Client, name: string) {
  const answer = await unary<GetSessionResponse>((done) =>
    client.sessions.getSession({ name, view: SessionView.BASIC }, done),
  );
  return answer.session;
}

describe("a service whose programs cost more than is granted", () => {
  const scope = scopeOfEachTest();

  test("thins its sessions, then stops the youngest, and tells their readers each time", async () => {
    const network = await direct(scope);
    const flags = ["--overhead-cpu", "0.001%", "--overhead-window", "300ms"];
    const [{ client }, near, far] = await Promise.all([
      Service.start(scope, network.client, { flags }),
      Endpoint.start(scope, network.client),
      Endpoint.start(scope, network.server),
    ]);
    await far.listen(443);
    const connection = await near.connect(SERVER.v4, 443);
    const older = await client.create(SPEC, "older");
    const younger = await client.create(SPEC, "younger");
    const readers = [older, younger].map(({ name }) => client.stream({ session: name }));
    const [first, second] = readers;
    if (first === undefined || second === undefined) throw new Error("no readers");
    for (const reader of readers) await reader.started();
    const load = new AbortController();
    const loaded = (async () => {
      while (!load.signal.aborted) await connection.echo(1);
    })();
    const changes: (readonly [SessionState, string])[] = [];
    for (let change = 0; change < 4; change += 1) {
      const { event } = await second.until("sessionChange");
      if (event?.$case === "sessionChange") changes.push([event.value.state, event.value.reason.split(":")[0] ?? ""]);
    }
    expect(changes).toEqual([
      [SessionState.RUNNING, "at most 5000 samples a second and CPU"],
      [SessionState.RUNNING, "at most 500 samples a second and CPU"],
      [SessionState.RUNNING, "at most 50 samples a second and CPU"],
      [SessionState.STOPPED, "STOP_REASON_OVERHEAD"],
    ]);
    await second.ended();
    expect(await session(client, younger.name)).toMatchObject({
      state: SessionState.STOPPED,
      stopReason: StopReason.OVERHEAD,
    });
    const refused = await failureOf(client.create(SPEC));
    expect(refused.reason).toBe("OVERHEAD_LIMIT");
    // The older one follows: it was granted 50 samples a second, and its programs still run for every packet.
    await first.ended();
    expect((await session(client, older.name))?.effectiveSpec?.collection?.maxSamplesPerSecond).toBe(50);
    load.abort();
    await loaded;
    expect((await client.status()).overhead).toMatchObject({
      maxCpuShare: 0.000_01,
      thinnings: 3n,
      restorations: 0n,
      stoppedSessions: 2n,
      refusedSessions: 1n,
    });
  });

  test("stops the youngest for the kernel memory that it takes", async () => {
    const network = await direct(scope);
    const { client } = await Service.start(scope, network.client, {
      flags: ["--packet-flows", "1024", "--overhead-memory", "2MiB", "--overhead-window", "200ms"],
    });
    const stream = await client.watch(SPEC);
    const { event } = await stream.until("sessionChange");
    expect(event).toMatchObject({ value: { state: SessionState.STOPPED, reason: "STOP_REASON_OVERHEAD" } });
    await stream.ended();
  });
});
