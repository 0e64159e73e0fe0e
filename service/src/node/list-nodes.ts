import type { ListNodesRequest, ListNodesResponse } from "@latscope/proto";
import { paginate } from "../session/page.js";
import type { NodeContext } from "./context.js";
import { describeNode } from "./describe.js";
import { selectNode } from "./select.js";

/** The one host that this service answers for. */
export function listNodes(context: NodeContext) {
  return async ({ pageSize, pageToken, labels }: ListNodesRequest): Promise<ListNodesResponse> => {
    const { selected } = selectNode({ nodes: [], labels }, context);
    const all = selected ? [await describeNode(context)] : [];
    const { items, nextPageToken } = paginate(
      all,
      { pageSize, pageToken, filter: { labels } },
      ({ name }) => name,
      () => 0,
    );
    return { nodes: items, nextPageToken };
  };
}
