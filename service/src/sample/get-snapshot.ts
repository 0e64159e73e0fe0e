import { GetSnapshotRequest, GetSnapshotResponse } from "@latscope/proto";
import { seeSession } from "../session/access.js";
import { selectNode } from "../node/select.js";
import type { Caller } from "../rpc/caller.js";
import { decodeRequest } from "../rpc/decode.js";
import type { SampleContext } from "./context.js";
import { headerFor, readable } from "./source.js";

/** Quantiles of a session's largest groups, as the collector answers. */
export function getSnapshot(context: SampleContext) {
  return async (bytes: Buffer, caller: Caller): Promise<Buffer> => {
    const request = decodeRequest(GetSnapshotRequest, bytes);
    const { record } = seeSession(context, caller, request.session, "session");
    const handle = readable(record);
    context.quotas.checkBytes(caller);
    const { selected, failures } = selectNode(request.nodes, context);
    const rest = Buffer.from(GetSnapshotResponse.encode(GetSnapshotResponse.fromPartial({ failures })).finish());
    // Two protobuf messages one behind the other are one with the fields of both.
    const header = headerFor(context, caller, record);
    const answer = selected ? Buffer.concat([await handle.snapshot(bytes, header), rest]) : rest;
    context.quotas.of(caller).sent(answer.length, 0);
    return answer;
  };
}
