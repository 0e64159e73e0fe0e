import { NodeState, type NodeSelector, type NodeStatus } from "@latscope/proto";
import { Failure } from "../failure/failure.js";
import { labelsMatch } from "../session/labels.js";

/** This host, as selectors see it. */
export interface ThisNode {
  /** `nodes/{name}` */
  node: string;
  /** As configured. */
  nodeLabels: Readonly<Record<string, string>>;
}

/** Whether a selector takes in this host, and what to say of the others that it names. */
export function selectNode(
  selector: NodeSelector | undefined,
  { node, nodeLabels }: ThisNode,
): { selected: boolean; failures: NodeStatus[] } {
  const { nodes = [], labels = {} } = selector ?? {};
  const failures = nodes
    .filter((name) => name !== node)
    .map((name) => ({ node: name, state: NodeState.GONE, reason: `this service answers for ${node} alone` }));
  const selected = (nodes.length === 0 || nodes.includes(node)) && labelsMatch(labels, nodeLabels);
  return { selected, failures };
}

/** For calls that are about this host or about nothing. @throws Failure FIELD_INVALID when the selector leaves it out, or names another */
export function requireNode(selector: NodeSelector | undefined, here: ThisNode, field: string): void {
  const { selected, failures } = selectNode(selector, here);
  const [other] = failures;
  if (other !== undefined) {
    const index = selector?.nodes.indexOf(other.node) ?? 0;
    throw Failure.field("FIELD_INVALID", `${field}.nodes[${index}]`, other.reason);
  }
  if (!selected) throw Failure.field("FIELD_INVALID", `${field}.labels`, `${here.node} does not have these labels`);
}
