import {
  HostStatus,
  type AuditStatus,
  type ExporterStatus,
  type GetStatusRequest,
  type GetStatusResponse,
} from "@latscope/proto";
import { noAudit, type Audit } from "../audit/audit.js";
import type { Exporter } from "../export/start.js";
import { timestamp } from "../session/time.js";
import type { NodeContext } from "./context.js";
import { selectNode } from "./select.js";
import { version } from "./version.js";

/** How this host's service is: what the collector knows of its process, and what the service knows of its clients. */
export function getStatus(context: NodeContext) {
  const { collector, sessions, streams, startedAt, audit, guard, exporters, lasting } = context;
  return async (request: GetStatusRequest): Promise<GetStatusResponse> => {
    const { selected, failures } = selectNode(request.nodes, context);
    if (!selected) return { nodes: [], failures };
    const [bytes, samples] = await Promise.all([collector.status(), sessions.samples()]);
    const status = HostStatus.decode(bytes);
    const own = {
      version,
      startTime: timestamp(startedAt),
      sessions: sessions.count,
      streams: streams.open,
      samples,
      audit: auditStatus(audit),
      overhead: guard.status,
      exporters: exporters.flatMap(exporterStatus),
      sessionFiles: lasting.files?.status() ?? [],
      sessionState: lasting.state?.status,
    };
    return { nodes: [{ ...status, ...own }], failures };
  };
}

function exporterStatus(exporter: Exporter): ExporterStatus[] {
  const counts = exporter.counts();
  if (counts === undefined) return [];
  return [{ ...counts, sent: BigInt(counts.sent), lost: BigInt(counts.lost) }];
}

function auditStatus(audit: Audit): AuditStatus | undefined {
  if (audit === noAudit) return undefined;
  const { written, lost, summarized, failing } = audit.counts;
  return { written: BigInt(written), lost: BigInt(lost), summarized: BigInt(summarized), failing };
}
