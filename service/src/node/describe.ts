import { HostStatus, Node, NodeCapabilities, NodeState } from "@latscope/proto";
import { timestamp } from "../session/time.js";
import type { NodeContext } from "./context.js";

/** This host as a resource. */
export async function describeNode({ collector, node }: NodeContext): Promise<Node> {
  const [status, capabilities] = await Promise.all([collector.status(), collector.capabilities()]);
  return Node.fromPartial({
    name: node,
    state: NodeState.CONNECTED,
    version: HostStatus.decode(status).version,
    kernelRelease: NodeCapabilities.decode(capabilities).kernelRelease,
    lastSeen: timestamp(Date.now()),
  });
}
