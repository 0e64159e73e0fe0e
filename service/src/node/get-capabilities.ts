import { NodeCapabilities, type GetCapabilitiesRequest, type GetCapabilitiesResponse } from "@latscope/proto";
import type { NodeContext } from "./context.js";
import { selectNode } from "./select.js";

/** What can be measured on this host, by which hook, and what is missing for the rest. */
export function getCapabilities(context: NodeContext) {
  return async (request: GetCapabilitiesRequest): Promise<GetCapabilitiesResponse> => {
    const { selected, failures } = selectNode(request.nodes, context);
    const nodes = selected ? [NodeCapabilities.decode(await context.collector.capabilities())] : [];
    return { nodes, failures };
  };
}
