/*
 * The whole service and real clients inside the virtual machine of scripts/kernels.sh, on a network whose delay the kernel's
 * netem makes. Run by Node's own test runner, which needs no other file than this.
 */
import assert from "node:assert/strict";
import { release } from "node:os";
import { after, before, describe, test } from "node:test";

import { GetCapabilitiesRequest, Metric, Quality, type GetCapabilitiesResponse, type Sample } from "@latscope/proto";

import { unary } from "../harness/client.js";
import { output } from "../harness/command.js";
import { Endpoint, type Connection } from "../harness/endpoint.js";
import { LineProcess } from "../harness/lines.js";
import { measure, milliseconds } from "../harness/measure.js";
import { LATSCOPE, Service } from "../harness/service.js";
import type { Stage } from "../harness/stage.js";
import { qdiscKinds } from "../harness/tc.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";
import { Scope } from "../harness/undo.js";

const PORT = 443;
const TCP = { probes: [{ tcp: {} }], interfaces: [CLIENT.interface] };
const RTT = { probes: [{ tcp: { metrics: ["METRIC_TCP_RTT"] } }], interfaces: [CLIENT.interface] };
/** What an emulated processor may add, in milliseconds. */
const SLACK = 40;
/** The least time after which the stack sends a segment again, in milliseconds. */
const RESENT = 200;
/** How long such a processor may take to verify the programs and to start Node, in milliseconds. */
const PATIENCE = 120_000;

const [major = 0, minor = 0] = release().split(".").map(Number);
const HOOK = major > 6 || (major === 6 && minor >= 6) ? "tcx" : "clsact";

void describe(`the service on Linux ${release()}`, () => {
  const scope = new Scope();
  let all: Stage;

  before(async () => {
    const network = await direct(scope);
    const service = await Service.start(scope, network.client, { withinMs: PATIENCE });
    const client = await Endpoint.start(scope, network.client);
    const server = await Endpoint.start(scope, network.server);
    await server.listen(PORT);
    all = { network, service, client, server };
  });
  after(() => scope.close());

  /** Replaces the emulation of what the client sends: "delay 50ms". */
  async function netem(what: string): Promise<void> {
    await all.network.client.output(
      `tc qdisc replace dev ${CLIENT.interface} root netem limit 100000 ${what}`.split(" "),
    );
  }

  async function echoes(count: number, bytes: number): Promise<Connection> {
    const connection = await all.client.connect(SERVER.v4, PORT);
    for (let n = 0; n < count; n++) await connection.echo(bytes);
    return connection;
  }

  void test("every packet metric has the best hook of this kernel", async () => {
    const { service } = all;
    const { nodes } = await unary<GetCapabilitiesResponse>((answer) =>
      service.client.nodes.getCapabilities(GetCapabilitiesRequest.fromPartial({}), answer),
    );
    const tcp = nodes.flatMap((node) => node.capabilities).filter(({ metric }) => metric === Metric.TCP_RTT);
    assert.deepEqual(
      tcp.map(({ supported, hook }) => ({ supported, hook })),
      [{ supported: true, hook: HOOK }],
    );
  });

  for (const delay of [5, 50, 200]) {
    void test(`a delay of ${delay} ms is in every round trip and handshake`, async () => {
      await netem(`delay ${delay}ms`);
      const { samples, totals } = await measure(all.service.client, TCP, () => echoes(5, 100));
      const own = ofClient(samples);
      const by = (metric: Metric) => own.filter((sample) => sample.metric === metric).map(milliseconds);
      assert.equal(by(Metric.TCP_HANDSHAKE_REMOTE).length, 1);
      assert.equal(by(Metric.TCP_RTT).length, 5);
      within([...by(Metric.TCP_HANDSHAKE_REMOTE), ...by(Metric.TCP_RTT)], delay);
      assert.equal(totals.measured, BigInt(samples.length));
      assert.deepEqual(totals.losses, []);
    });
  }

  void test("of segments that were lost each round trip is the right copy's, or there is none", async () => {
    await netem("delay 50ms loss 20%");
    const { samples } = await measure(all.service.client, RTT, () => echoes(20, 100));
    const times = ofClient(samples)
      .filter(({ quality }) => !quality.includes(Quality.MAY_INCLUDE_ACK_DELAY))
      .map(milliseconds);
    assert.ok(times.length >= 5, `${times.length} round trips`);
    within(times, 50);
  });

  void test("of segments that overtook others each round trip is its own, or there is none", async () => {
    await netem("delay 50ms reorder 25%");
    const { samples } = await measure(all.service.client, RTT, () => echoes(4, 30_000));
    const times = ofClient(samples)
      .filter(({ quality }) => !quality.includes(Quality.MAY_INCLUDE_ACK_DELAY))
      .map(milliseconds);
    assert.ok(times.length >= 4, `${times.length} round trips`);
    // One that overtook was not delayed. One that waited for an earlier one of its burst, by an acknowledgement that also moved the
    // window and so told nobody, is as much younger as the burst is long: rare, and nothing a monitor could tell.
    const between = times.filter((time) => time >= SLACK && time < 50);
    assert.ok(between.length <= 1, `${between.join(", ")} ms of ${times.length}`);
    within(
      times.filter((time) => time >= 50),
      50,
    );
  });

  void test("a flow of a VLAN device counts once, with its VLAN, at the interface below", async () => {
    await netem("delay 50ms");
    for (const [namespace, end, address] of [
      [all.network.client, CLIENT, "10.79.0.1/24"],
      [all.network.server, SERVER, "10.79.0.2/24"],
    ] as const) {
      await namespace.ip(
        `link add link ${end.interface} name vlan5 type vlan id 5`,
        `address add ${address} dev vlan5`,
        "link set vlan5 up",
      );
    }
    const { samples } = await measure(all.service.client, TCP, async () => {
      const connection = await all.client.connect("10.79.0.2", PORT);
      for (let n = 0; n < 3; n++) await connection.echo(100);
    });
    const own = ofClient(samples);
    assert.deepEqual(new Set(own.map(({ flow }) => flow?.vlanId)), new Set([5]));
    const times = own.filter(({ metric }) => metric === Metric.TCP_RTT).map(milliseconds);
    assert.equal(times.length, 3);
    within(times, 50);
  });

  void test("the command shows them as they are measured", async () => {
    await netem("delay 50ms");
    const command = ["stream", "--json", "--tcp", "--metric", "rtt", "--port", String(PORT), "--limit", "2"];
    const stream = new LineProcess(scope, [...LATSCOPE, ...command, "--address", `unix:${all.service.socket}`]);
    await stream.stderrHas("watching", PATIENCE);
    await echoes(3, 100);
    const sample = JSON.parse(await stream.line(PATIENCE)) as { metric: string; latency_ns: number };
    assert.equal(sample.metric, "METRIC_TCP_RTT");
    within([sample.latency_ns / 1e6], 50);
  });

  void test("nothing stays where it was attached, and what a killed service left goes with the next", async () => {
    const { client } = all.network;
    const kinds = await qdiscKinds(client, CLIENT.interface);
    assert.ok(!kinds.includes("clsact"), kinds.join(", "));
    const filters = async (): Promise<number> => {
      const list = await output([
        ...["nsenter", `--net=${client.path}`, "--"],
        ...["tc", "filter", "show", "dev", CLIENT.interface, "ingress"],
      ]);
      return list.split("\n").filter((line) => line.includes("latscope_in")).length;
    };
    const killed = await Service.start(scope, client, { withinMs: PATIENCE });
    await killed.client.watch(RTT);
    assert.equal(await filters(), HOOK === "clsact" ? 1 : 0);
    killed.process.kill("SIGKILL");
    await killed.process.exit;
    const { samples } = await measure(all.service.client, RTT, async () => {
      assert.equal(await filters(), HOOK === "clsact" ? 1 : 0);
      await echoes(1, 100);
    });
    assert.equal(ofClient(samples).length, 1);
    assert.deepEqual(await qdiscKinds(client, CLIENT.interface), kinds);
  });
});

/** Those whose end event is an answer to the client. */
function ofClient(samples: readonly Sample[]): Sample[] {
  return samples.filter(({ flow }) => flow?.measuredFromServer === false);
}

/** None below the delay or above it by as much as a segment waits to be sent again, half of them hardly above. */
function within(times: readonly number[], delay: number): void {
  for (const time of times)
    assert.ok(time >= delay && time < delay + RESENT, `${time} ms after a delay of ${delay} ms`);
  const middle = times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN;
  assert.ok(middle < delay + SLACK, `${middle} ms after a delay of ${delay} ms`);
}
