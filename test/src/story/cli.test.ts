import { describe, expect, test } from "vitest";

import { ALL_TCP } from "../harness/client.js";
import { run } from "../harness/command.js";
import type { Endpoint } from "../harness/endpoint.js";
import { LineProcess } from "../harness/lines.js";
import { stop } from "../harness/measure.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import type { Service } from "../harness/service.js";
import { LATSCOPE, NODE, temporaryFolder } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { CLIENT, SERVER } from "../harness/topology.js";

const PORT = 443;
const KEYS = [
  "metric",
  "client_address",
  "client_port",
  "server_address",
  "server_port",
  "latency_ns",
  "time_ns",
  "quality",
  "result",
  "subject",
  "interface",
];

interface Parties {
  readonly service: Service;
  readonly client: Endpoint;
  readonly address: readonly string[];
}

async function parties(scope: Scope): Promise<Parties> {
  const { service, client, server } = await stage(scope);
  await server.listen(PORT);
  return { service, client, address: ["--address", `unix:${service.socket}`] };
}

/** Starts `latscope stream` and waits until it says it watches. */
async function streaming(scope: Scope, args: readonly string[]): Promise<LineProcess> {
  const process = new LineProcess(scope, [...LATSCOPE, "stream", ...args]);
  await process.stderrHas("watching");
  return process;
}

describe("latscope stream", () => {
  const scope = scopeOfEachTest();

  test("--json: one object a line, integers exact", async () => {
    const { client, address } = await parties(scope);
    const process = await streaming(scope, ["--json", "--tcp", "--port", String(PORT), ...address]);
    const before = BigInt(Date.now()) * 1_000_000n;
    const { localPort } = await client.connect(SERVER.v4, PORT);
    const lines = [await process.line(), await process.line()];
    for (const line of lines) {
      const sample = JSON.parse(line) as Record<string, unknown>;
      expect(Object.keys(sample)).toEqual(expect.arrayContaining(KEYS));
      expect(sample).toMatchObject({
        client_address: CLIENT.v4,
        client_port: localPort,
        server_address: SERVER.v4,
        server_port: PORT,
        interface: CLIENT.interface,
      });
      // Nanoseconds since 1970 are beyond what a JavaScript number holds exactly: read from the text.
      const time = BigInt(/"time_ns":(\d+)/.exec(line)?.[1] ?? 0);
      expect(time).toBeGreaterThan(before - 100_000_000n);
      expect(Number(/"latency_ns":(\d+)/.exec(line)?.[1])).toBeGreaterThan(0);
    }
    expect(lines.map((line) => (JSON.parse(line) as { metric: string }).metric)).toEqual([
      "METRIC_TCP_HANDSHAKE_REMOTE",
      "METRIC_TCP_HANDSHAKE_LOCAL",
    ]);
  });

  test("for a person: a line a sample in milliseconds, a summary after Ctrl-C, exit code 0", async () => {
    const { client, address } = await parties(scope);
    const process = await streaming(scope, ["--tcp", ...address]);
    const { localPort } = await client.connect(SERVER.v4, PORT);
    expect(await process.line()).toMatch(
      new RegExp(`handshake +${CLIENT.v4}:${localPort} -> ${SERVER.v4}:${PORT} +0\\.\\d{3} ms +${CLIENT.interface}`),
    );
    process.kill("SIGINT");
    expect(await process.exit).toEqual({ code: 0, signal: null });
    const said = [...process.pending, process.stderr].join("\n");
    expect(said).toMatch(/metric +count +min +p50 .*p99 +max/);
    expect(said).toMatch(/2 measured, 2 delivered, 0 lost/);
  });

  test("a refusal of the server is told in one line, exit code 1", async () => {
    const { address } = await parties(scope);
    const { code, stderr } = await run([...LATSCOPE, "stream", "--tcp", "--interface", "nowhere0", ...address]);
    expect(code).toBe(1);
    expect(stderr).toContain("nowhere0");
    expect(stderr).not.toContain("    at ");
  });
});

describe("latscope histogram and snapshot", () => {
  const scope = scopeOfEachTest();

  test("histogram: a table an interval, a summary after Ctrl-C, exit code 0", async () => {
    const { client, address } = await parties(scope);
    const flags = ["--tcp", "--port", String(PORT), "--group-by", "server-port,client-prefix", "--interval", "100ms"];
    const process = new LineProcess(scope, [...LATSCOPE, "histogram", ...flags, ...address]);
    await process.stderrHas("watching tcp");
    await client.connect(SERVER.v4, PORT);
    const row = (metric: string) => new RegExp(`^${metric} +10\\.77\\.0\\.0/24 +${PORT} +1 +0\\.\\d{3} .* ms$`);
    await process.lineWhere((line) => row("handshake").test(line));
    process.kill("SIGINT");
    expect(await process.exit).toEqual({ code: 0, signal: null });
    const [header, ...summary] = process.pending.slice(-4);
    expect(header).toMatch(/^metric +client prefix +server port +count +min +p50 +p90 +p99 +max$/);
    expect(summary[0]).toMatch(row("handshake"));
    expect(summary[1]).toMatch(row("handshake local"));
    expect(summary[2]).toMatch(/^2 measured, 2 in these histograms, 0 lost; /);
  });

  test("histogram --json of a session that stops: all it measured, one object a line", async () => {
    const { service, client, address } = await parties(scope);
    const { name } = await service.client.create({ ...ALL_TCP, interfaces: [CLIENT.interface] });
    const flags = ["--json", "--cumulative", "--session", name];
    const process = new LineProcess(scope, [...LATSCOPE, "histogram", ...flags, ...address]);
    await process.stderrHas("watching tcp");
    await client.connect(SERVER.v4, PORT);
    await stop(service.client, name);
    expect(await process.exit).toEqual({ code: 0, signal: null });
    const last = JSON.parse(process.pending.at(-1) ?? "") as unknown;
    expect(last).toMatchObject({
      groups: ["METRIC_TCP_HANDSHAKE_REMOTE", "METRIC_TCP_HANDSHAKE_LOCAL"].map((metric) => ({
        group: { metric, keys: {} },
        histogram: { scale: 3, count: 1 },
      })),
      totals: { measured: 2, aggregated_only: 0 },
    });
  });

  test("snapshot: quantiles of the largest groups", async () => {
    const { service, client, address } = await parties(scope);
    const collection = { groupBy: ["GROUP_BY_SERVER_PORT"] };
    await service.client.create({ ...ALL_TCP, interfaces: [CLIENT.interface], collection }, "edge");
    await client.connect(SERVER.v4, PORT);
    const { code, stdout } = await run([...LATSCOPE, "snapshot", "edge", "--top", "1", ...address]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^metric +server port +count +min +mean +p50 +p90 +p99 +p99\.9 +max$/m);
    expect(stdout).toMatch(new RegExp(`^handshake +${PORT} +1 +(0\\.\\d{3} +){6}0\\.\\d{3} ms$`, "m"));
    expect(stdout).toMatch(/^1 of 2 groups of .*\nsince it began: 2 measured, /m);
  });
});

describe("latscope", () => {
  const scope = scopeOfEachTest();

  test("capabilities says which metrics can be had here", async () => {
    const { address } = await parties(scope);
    const { code, stdout } = await run([...LATSCOPE, "capabilities", ...address]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^METRIC +HOOK +MIN KERNEL +HERE/m);
    expect(stdout).toMatch(/tcp rtt +tcx +\S+ +yes/);
  });

  test("sessions lists them", async () => {
    const { service, address } = await parties(scope);
    await service.client.create({ ...ALL_TCP, interfaces: [CLIENT.interface] }, "edge");
    const { code, stdout } = await run([...LATSCOPE, "sessions", ...address]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/edge +running/i);
  });

  test("no service: says where it looked, exit code 1", async () => {
    const socket = `${await temporaryFolder(scope)}/nobody.sock`;
    const { code, stderr } = await run([...LATSCOPE, "sessions", "--address", `unix:${socket}`]);
    expect(code).toBe(1);
    expect(stderr).toContain(socket);
  });

  test("wrong usage: says which flag, exit code 2", async () => {
    const { code, stderr } = await run([...LATSCOPE, "stream", "--nonsense"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--nonsense");
  });

  test("serve refuses a socket that a running service has", async () => {
    const { service } = await parties(scope);
    const { code, stderr } = await run([...LATSCOPE, "serve", "--socket", service.socket, "--node", NODE]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(service.socket);
    await service.client.serving();
  });
});
