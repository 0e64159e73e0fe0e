import type { WatchNodesRequest, WatchNodesResponse } from "@latscope/proto";
import { Failure } from "../failure/failure.js";
import type { Caller } from "../rpc/caller.js";
import type { Outgoing } from "../rpc/outgoing.js";
import { watch } from "../rpc/watch.js";
import type { NodeContext } from "./context.js";
import { describeNode } from "./describe.js";
import { selectNode } from "./select.js";

// One host never changes while it can answer, so every bookmark of it is the same.
const token = "single-host";

/** The one host that this service answers for, then bookmarks. */
export function watchNodes(context: NodeContext) {
  return async (
    { labels, resumeToken }: WatchNodesRequest,
    outgoing: Outgoing<WatchNodesResponse>,
    { revoked }: Caller,
  ): Promise<void> => {
    if (resumeToken !== "" && resumeToken !== token) {
      throw Failure.field("RESUME_TOKEN_INVALID", "resume_token", "is not from a bookmark");
    }
    let told = resumeToken === token || !selectNode({ nodes: [], labels }, context).selected;
    await watch(
      outgoing.signal,
      { draining: context.draining, revoked },
      {
        changes: async () => {
          if (told) return true;
          told = true;
          return outgoing.write({ event: { $case: "node", value: await describeNode(context) } });
        },
        bookmark: () => outgoing.write({ event: { $case: "bookmark", value: { resumeToken: token } } }),
        subscribe: () => () => undefined,
      },
    );
  };
}
