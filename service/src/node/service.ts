import type { NodeServiceServer } from "@latscope/proto";
import { serverStreaming } from "../rpc/server-streaming.js";
import { unary } from "../rpc/unary.js";
import type { NodeContext } from "./context.js";
import { getCapabilities } from "./get-capabilities.js";
import { getStatus } from "./get-status.js";
import { listNodes } from "./list-nodes.js";
import { watchNodes } from "./watch-nodes.js";

/** latscope.v1.NodeService. */
export function nodeService(context: NodeContext): NodeServiceServer {
  return {
    getCapabilities: unary(context, getCapabilities(context)),
    getStatus: unary(context, getStatus(context)),
    listNodes: unary(context, listNodes(context)),
    watchNodes: serverStreaming(context, watchNodes(context)),
  };
}
