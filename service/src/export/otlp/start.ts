import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { MetricsServiceClient, type ExportMetricsServiceResponse } from "@latscope/proto/opentelemetry/collector";
import type { ResourceMetrics } from "@latscope/proto/opentelemetry/metrics";
import { readFile } from "node:fs/promises";
import { GroupsOfSessions } from "../bounded-groups.js";
import type { Exported } from "../exported.js";
import { Follower } from "../follower.js";
import type { Exporter } from "../start.js";
import { resourceMetrics } from "./messages.js";

const deadlineMs = 10_000;

export interface OtlpTarget {
  /** `http://` in plaintext, `https://` over TLS. */
  endpoint: URL;
  /** Who signs for the receiver, in PEM; unset = the authorities that Node knows. */
  ca: string | undefined;
  /** Groups of each session that are told apart. */
  groups: number;
}

/**
 * Sends what each session measured to an OpenTelemetry receiver, over gRPC. Everything since the session's start each time: what was
 * not taken once is in the next.
 */
export async function startOtlp(target: OtlpTarget, intervalMs: number, exported: Exported): Promise<Exporter> {
  const { endpoint, ca } = target;
  const tls = endpoint.protocol === "https:";
  const security = tls
    ? credentials.createSsl(ca === undefined ? null : await readFile(ca))
    : credentials.createInsecure();
  const client = new MetricsServiceClient(endpoint.host, security);
  const groups = new GroupsOfSessions(target.groups);
  const counts = { sent: 0, lost: 0, failing: "" };
  const failed = (why: string): void => {
    counts.lost += 1;
    if (counts.failing === "") exported.log.error({ endpoint: endpoint.href }, `OTLP to ${endpoint.host}: ${why}`);
    counts.failing = why;
  };
  const follower = new Follower({
    exported,
    name: `OTLP to ${endpoint.host}`,
    intervalMs,
    cumulative: true,
    take: async (record, batch) => {
      const point = { node: exported.node, session: record.id, batch, groups: groups.of(record) };
      const metrics = resourceMetrics(point);
      const { error, response } = await send(client, metrics);
      const rejected = response?.partialSuccess?.rejectedDataPoints ?? 0n;
      if (error !== null) failed(error.message);
      else if (rejected > 0n)
        failed(`${rejected} points were rejected: ${response?.partialSuccess?.errorMessage ?? ""}`);
      else {
        if (counts.failing !== "")
          exported.log.warn({ endpoint: endpoint.href }, `OTLP to ${endpoint.host} works again`);
        counts.failing = "";
        counts.sent += 1;
      }
    },
  });
  return {
    announcement: `metrics go to ${endpoint.href} by OTLP`,
    counts: () => ({ name: `otlp:${endpoint.host}`, ...counts }),
    close: async () => {
      await follower.close();
      client.close();
    },
  };
}

function send(
  client: MetricsServiceClient,
  metrics: ResourceMetrics,
): Promise<{ error: ServiceError | null; response?: ExportMetricsServiceResponse }> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + deadlineMs };
    client.export({ resourceMetrics: [metrics] }, new Metadata(), options, (error, response) => {
      resolve({ error, response });
    });
  });
}
