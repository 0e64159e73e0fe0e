import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { GetSnapshotRequest, type GetSnapshotResponse } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { unary, type Client } from "../harness/client.js";
import { Endpoint } from "../harness/endpoint.js";
import { eventually } from "../harness/eventually.js";
import { stop } from "../harness/measure.js";
import { inRepository } from "../harness/paths.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import { Service, temporaryFolder } from "../harness/service.js";
import { CLIENT, direct, SERVER, type Network } from "../harness/topology.js";

const SPEC = {
  probes: [{ tcp: { metrics: ["METRIC_TCP_RTT"] } }],
  interfaces: [CLIENT.interface],
  collection: { groupBy: ["GROUP_BY_SERVER_PORT"] },
};

async function echoes(scope: Scope, { client, server }: Network, count: number): Promise<void> {
  const [near, far] = await Promise.all([Endpoint.start(scope, client), Endpoint.start(scope, server)]);
  await far.listen(443);
  const connection = await near.connect(SERVER.v4, 443);
  for (let echo = 0; echo < count; echo += 1) await connection.echo(1);
  await connection.close();
}

async function measured(client: Client, session: string): Promise<GetSnapshotResponse> {
  const request = GetSnapshotRequest.fromPartial({ session, includeHistograms: true });
  return unary<GetSnapshotResponse>((answer) => client.samples.getSnapshot(request, answer));
}

async function exporters(client: Client) {
  return (await client.status()).exporters;
}

interface OtlpRequest {
  resourceMetrics: {
    scopeMetrics: {
      metrics: {
        name: string;
        exponentialHistogram?: {
          dataPoints: {
            count: string;
            sum: number;
            scale: number;
            positive: { offset: number; bucketCounts: string[] };
          }[];
        };
      }[];
    }[];
  }[];
}

/** The one histogram of a request, once it has something in it. */
function histogramOf(line: string) {
  const { resourceMetrics } = JSON.parse(line) as OtlpRequest;
  const metrics = resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? [];
  return metrics.find(({ name }) => name === "latscope.latency")?.exponentialHistogram?.dataPoints[0];
}

describe("histograms leave", () => {
  const scope = scopeOfEachTest();

  test("by OTLP, bucket by bucket as they are, and whole again after the receiver was away", async () => {
    const network = await direct(scope);
    const receiver = network.client.start(scope, [
      process.execPath,
      inRepository("test/dist/harness/otlp-receiver-process.js"),
    ]);
    const endpoint = `http://127.0.0.1:${await receiver.line()}`;
    const flags = ["--otlp-endpoint", endpoint, "--export-interval", "200ms"];
    const { client, process: service } = await Service.start(scope, network.client, { flags });
    await service.lineWhere((line) => line.startsWith(`latscope: metrics go to ${endpoint}/ by OTLP`));
    const { name } = await client.create(SPEC);
    await receiver.lineWhere((line) => line.includes("latscope.latency"));
    receiver.write("refuse\n");
    await receiver.lineWhere((line) => line === "refuse");
    await echoes(scope, network, 20);
    await service.stderrHas("not now");
    await eventually("a failure is counted", async () => ((await exporters(client))[0]?.lost ?? 0n) > 1n);
    expect(service.stderr.match(/not now/g)).toHaveLength(1);
    receiver.write("accept\n");
    await receiver.lineWhere((line) => line === "accept");
    const { groups } = await measured(client, name);
    const own = groups[0]?.histogram;
    const told = histogramOf(await receiver.lineWhere((line) => histogramOf(line)?.count === String(own?.count)));
    expect(told).toMatchObject({
      sum: Number(own?.sumNs),
      scale: own?.scale,
      positive: { offset: own?.offset, bucketCounts: own?.counts.map(String) },
    });
    await service.stderrHas("works again");
    expect(await exporters(client)).toMatchObject([{ name: `otlp:${endpoint.slice(7)}`, failing: "" }]);
  });

  test("as lines of JSON, each interval what happened in it", async () => {
    const network = await direct(scope);
    const path = join(await temporaryFolder(scope), "latscope.jsonl");
    const flags = ["--json-file", path, "--export-interval", "200ms"];
    const service = await Service.start(scope, network.client, { flags });
    const { name } = await service.client.create(SPEC);
    await echoes(scope, network, 20);
    await stop(service.client, name);
    const { groups, stats } = await measured(service.client, name);
    await service.stop();
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const histograms = entries.filter((entry) => "histogram" in entry);
    expect(histograms.length).toBeGreaterThan(0);
    for (const entry of histograms) {
      expect(entry).toMatchObject({
        ...{ node: "nodes/test-node", session: name },
        group: { metric: "METRIC_TCP_RTT", keys: { server_port: "443" } },
      });
    }
    const sum = histograms.reduce((sum, { histogram }) => sum + BigInt((histogram as { count: string }).count), 0n);
    expect(sum).toBe(groups[0]?.count);
    const totals = entries.flatMap(({ totals }) => (totals === undefined ? [] : [totals as { measured?: string }]));
    expect(totals.reduce((sum, { measured = "0" }) => sum + BigInt(measured), 0n)).toBe(stats?.totals?.measured);
  });
});
