import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";

import { output, run } from "../harness/command.js";
import { stop } from "../harness/measure.js";
import { inRepository } from "../harness/paths.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import type { Service } from "../harness/service.js";
import { LATSCOPE } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { CLIENT, SERVER } from "../harness/topology.js";

const PORT = 443;
const COUNT = 10;

/** The examples, each given an address, a session and a number of samples. */
const clients = {
  typescript: ["node", inRepository("clients/typescript/dist/examples/print.js")],
  "node-dynamic": ["node", inRepository("clients/node-dynamic/print.js")],
  go: [inRepository("clients/go/dist/print")],
  python: [inRepository("clients/python/dist/venv/bin/python"), inRepository("clients/python/print.py")],
  shell: [inRepository("clients/shell/print.sh")],
} as const;

interface Recorded {
  readonly service: Service;
  /** A stopped session with more than COUNT samples of real connections. */
  readonly session: string;
}

async function recorded(scope: Scope): Promise<Recorded> {
  const { service, client, server } = await stage(scope);
  await server.listen(PORT);
  const id = `s-${randomUUID()}`;
  const { name } = await service.client.create({ probes: [{ tcp: {} }], interfaces: [CLIENT.interface] }, id);
  // Two handshake latencies and a first byte each, and round trips.
  for (let n = 0; n < 4; n++) {
    const connection = await client.connect(n % 2 === 0 ? SERVER.v4 : SERVER.v6, PORT);
    await connection.echo(100);
    await connection.close();
  }
  await stop(service.client, name);
  return { service, session: name };
}

/** The samples as `latscope stream --json` prints them, in the form of the examples; digits stay text, as they came. */
async function seenByLatscope({ service, session }: Recorded): Promise<string[]> {
  const flags = ["--json", "--session", session, "--from", "oldest", "--limit", String(COUNT)];
  const json = await output([...LATSCOPE, "stream", ...flags, "--address", `unix:${service.socket}`]);
  return json
    .trimEnd()
    .split("\n")
    .map((line) => {
      const field = (key: string): string => new RegExp(`"${key}":"?([^",}]+)`).exec(line)?.[1] ?? `no ${key}`;
      const keys = ["time_ns", "latency_ns", "metric", "client_address", "client_port", "server_address"];
      return [...keys, "server_port"].map(field).join(" ");
    });
}

describe("a client to copy", () => {
  const scope = scopeOfEachTest();

  test.each(Object.entries(clients))("%s prints what latscope prints, to the nanosecond", async (name, command) => {
    const session = await recorded(scope);
    const expected = await seenByLatscope(session);
    expect(expected).toHaveLength(COUNT);
    expect(expected[0]).toMatch(/^\d{19} [1-9]\d+ METRIC_TCP_HANDSHAKE_REMOTE 10\.77\.0\.1 \d+ 10\.77\.0\.2 443$/);
    const address = name === "shell" ? session.service.socket : `unix:${session.service.socket}`;
    const { code, stdout, stderr } = await run([...command, address, session.session, String(COUNT)]);
    expect({ code, stderr, lines: stdout.trimEnd().split("\n") }).toEqual({ code: 0, stderr: "", lines: expected });
  });
});
