import { HostStatus, type GetStatusRequest, type GetStatusResponse } from "@latscope/proto";
import type { NodeContext } from "./context.js";
import { selectNode } from "./select.js";

/** How this host's service is. */
export function getStatus({ collector, sessions, streams, node }: NodeContext) {
  return async (request: GetStatusRequest): Promise<GetStatusResponse> => {
    const { selected, failures } = selectNode(request.nodes, node);
    if (!selected) return { nodes: [], failures };
    const status = HostStatus.decode(await collector.status());
    return { nodes: [{ ...status, sessions: sessions.count, streams: streams.open }], failures };
  };
}
