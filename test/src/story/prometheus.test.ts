import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { GetSnapshotRequest, type GetSnapshotResponse } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { unary, type Client } from "../harness/client.js";
import { run } from "../harness/command.js";
import { Endpoint } from "../harness/endpoint.js";
import { eventually } from "../harness/eventually.js";
import { stop } from "../harness/measure.js";
import type { Namespace } from "../harness/netns.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import { Service, temporaryFolder } from "../harness/service.js";
import { CLIENT, direct, SERVER } from "../harness/topology.js";

// Namespaces of their own: nobody else has these ports.
const ENDPOINT = "127.0.0.1:9464";
const PROMETHEUS = "127.0.0.1:9090";
const ECHOES = 50;

/** The body of an HTTP answer, as somebody in the namespace gets it. */
async function get(namespace: Namespace, url: string): Promise<{ status: number; type: string; body: string }> {
  const program = `const r = await fetch(process.argv[1]); console.log(JSON.stringify({
    status: r.status, type: r.headers.get("content-type"), body: await r.text() }))`;
  const text = await namespace.output([process.execPath, "--input-type=module", "-e", program, url]);
  return JSON.parse(text) as { status: number; type: string; body: string };
}

/** The number that a query to the real Prometheus answers; undefined while it has none. */
async function query(namespace: Namespace, expression: string): Promise<number | undefined> {
  const { body } = await get(namespace, `http://${PROMETHEUS}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const { data } = JSON.parse(body) as { data?: { result?: { value?: [number, string] }[] } };
  const value = data?.result?.[0]?.value?.[1];
  return value === undefined ? undefined : Number(value);
}

async function startPrometheus(scope: Scope, namespace: Namespace): Promise<void> {
  const folder = await temporaryFolder(scope);
  const config = join(folder, "prometheus.yml");
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: "1s" },
      scrape_configs: [{ job_name: "latscope", static_configs: [{ targets: [ENDPOINT] }] }],
    }),
  );
  namespace.start(scope, [
    "prometheus",
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=${PROMETHEUS}`,
    "--enable-feature=native-histograms",
    "--log.level=error",
  ]);
  await eventually(
    "Prometheus is ready",
    () =>
      get(namespace, `http://${PROMETHEUS}/-/ready`).then(
        ({ status }) => status === 200,
        () => false,
      ),
    20_000,
  );
}

async function measured(client: Client, session: string): Promise<GetSnapshotResponse> {
  const request = GetSnapshotRequest.fromPartial({ session, includeHistograms: true, quantiles: [0.9] });
  return unary<GetSnapshotResponse>((answer) => client.samples.getSnapshot(request, answer));
}

describe("the endpoint for Prometheus", () => {
  const scope = scopeOfEachTest();

  test("has no complaint of promtool, and a real Prometheus gets the same numbers as a client", async () => {
    const network = await direct(scope);
    const [service, near, far] = await Promise.all([
      Service.start(scope, network.client, { flags: ["--prometheus-listen", ENDPOINT, "--prometheus-groups", "1"] }),
      Endpoint.start(scope, network.client),
      Endpoint.start(scope, network.server),
    ]);
    await service.process.lineWhere(
      (line) => line === `latscope: metrics for Prometheus at http://${ENDPOINT}/metrics`,
    );
    await far.listen(443);
    await far.listen(53);
    const { name } = await service.client.create(
      {
        probes: [{ tcp: { metrics: ["METRIC_TCP_RTT"] } }],
        interfaces: [CLIENT.interface],
        collection: { groupBy: ["GROUP_BY_SERVER_PORT"] },
      },
      "edge",
    );
    for (const port of [443, 53]) {
      const connection = await near.connect(SERVER.v4, port);
      for (let echo = 0; echo < ECHOES; echo += 1) await connection.echo(1);
      await connection.close();
    }
    await stop(service.client, name);

    const { status, type, body } = await get(network.client, `http://${ENDPOINT}/metrics`);
    expect([status, type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    expect(await run(["promtool", "check", "metrics"], { input: body })).toEqual({
      ...{ code: 0, signal: null, stdout: "", stderr: "" },
    });
    const { groups, stats } = await measured(service.client, name);
    const counts = groups.map(({ count }) => count);
    expect(groups).toHaveLength(2);
    expect(body).toContain(`latscope_session_measured_total{session="edge"} ${stats?.totals?.measured}\n`);
    expect(body).toMatch(/^latscope_session_state\{session="edge",state="stopped"\} 1$/m);
    const total = counts.reduce((sum, count) => sum + count, 0n);
    expect(total).toBeGreaterThanOrEqual(BigInt(2 * ECHOES));

    await startPrometheus(scope, network.client);
    const selector = `latscope_latency_seconds{session="edge",metric="tcp_rtt"}`;
    await eventually(
      "Prometheus has scraped",
      async () => (await query(network.client, `histogram_count(sum(${selector}))`)) !== undefined,
      20_000,
    );
    expect(await query(network.client, `histogram_count(sum(${selector}))`)).toBe(Number(total));
    // One group by its name, the other counted together with whatever else there were.
    expect(await query(network.client, `count(${selector})`)).toBe(2);
    const [first] = groups;
    const port = first?.group?.keys["server_port"];
    const one = `latscope_latency_seconds{session="edge",server_port="${port}"}`;
    expect(await query(network.client, `histogram_count(${one})`)).toBe(Number(first?.count));
    expect(await query(network.client, `histogram_sum(${one})`)).toBeCloseTo(Number(first?.histogram?.sumNs) / 1e9, 12);
    // Ours is the upper bound of a bucket 9 % wide, Prometheus' is interpolated in one whose bounds are up to 1.6 % higher.
    const quantile = (await query(network.client, `histogram_quantile(0.9, ${one})`)) ?? 0;
    const own = first?.quantiles[0]?.latencySeconds ?? 0;
    expect(quantile / own).toBeGreaterThan(0.9);
    expect(quantile / own).toBeLessThan(1.1);
    expect(await query(network.client, `latscope_sessions`)).toBe(1);
  });

  test("answers nothing but that, and is not there unless it is asked for", async () => {
    const { client: namespace } = await direct(scope);
    await Service.start(scope, namespace, { flags: ["--prometheus-listen", ENDPOINT] });
    expect(await get(namespace, `http://${ENDPOINT}/`)).toMatchObject({
      status: 404,
      body: "metrics are at /metrics\n",
    });
    const quiet = await direct(scope);
    await Service.start(scope, quiet.client);
    await expect(get(quiet.client, `http://${ENDPOINT}/metrics`)).rejects.toThrow("ECONNREFUSED");
  });
});
