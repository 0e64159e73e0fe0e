import { describe, expect, test } from "vitest";

import { ALL_TCP } from "../harness/client.js";
import { run } from "../harness/command.js";
import type { Endpoint } from "../harness/endpoint.js";
import { LineProcess } from "../harness/lines.js";
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
