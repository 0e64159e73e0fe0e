import { NodeState, type NodeSelector, type NodeStatus } from "@latscope/proto";

/** Whether a selector takes in this host, and what to say of the others that it names. */
export function selectNode(
  selector: NodeSelector | undefined,
  node: string,
): { selected: boolean; failures: NodeStatus[] } {
  const { nodes = [], labels = {} } = selector ?? {};
  const failures = nodes
    .filter((name) => name !== node)
    .map((name) => ({ node: name, state: NodeState.GONE, reason: `this service answers for ${node} alone` }));
  // A single host carries no labels.
  const selected = (nodes.length === 0 || nodes.includes(node)) && Object.keys(labels).length === 0;
  return { selected, failures };
}
