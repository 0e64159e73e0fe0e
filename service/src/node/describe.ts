import { Node, NodeCapabilities, NodeState } from "@latscope/proto";
import { timestamp } from "../session/time.js";
import type { NodeContext } from "./context.js";
import { version } from "./version.js";

/** This host as a resource. */
export async function describeNode({ collector, node, nodeLabels }: NodeContext): Promise<Node> {
  const { kernelRelease } = NodeCapabilities.decode(await collector.capabilities());
  const lastSeen = timestamp(Date.now());
  return Node.fromPartial({
    name: node,
    state: NodeState.CONNECTED,
    labels: { ...nodeLabels },
    version,
    kernelRelease,
    lastSeen,
  });
}
