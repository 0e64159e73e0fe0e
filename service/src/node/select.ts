import { NodeState, type NodeSelector, type NodeStatus } from "@latscope/proto";
import { labelsMatch } from "../session/labels.js";
import type { NodeContext } from "./context.js";

/** Whether a selector takes in this host, and what to say of the others that it names. */
export function selectNode(
  selector: NodeSelector | undefined,
  { node, nodeLabels }: Pick<NodeContext, "node" | "nodeLabels">,
): { selected: boolean; failures: NodeStatus[] } {
  const { nodes = [], labels = {} } = selector ?? {};
  const failures = nodes
    .filter((name) => name !== node)
    .map((name) => ({ node: name, state: NodeState.GONE, reason: `this service answers for ${node} alone` }));
  const selected = (nodes.length === 0 || nodes.includes(node)) && labelsMatch(labels, nodeLabels);
  return { selected, failures };
}
