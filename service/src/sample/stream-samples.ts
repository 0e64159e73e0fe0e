import { StopReason, StreamSamplesRequest, type SessionSpec } from "@latscope/proto";
import { encodeScope } from "../addon/scope.js";
import type { ReaderHandle } from "../addon/types.js";
import { requireNode } from "../node/select.js";
import { decodeRequest } from "../rpc/decode.js";
import type { Outgoing } from "../rpc/outgoing.js";
import type { Caller } from "../rpc/caller.js";
import { seeSession } from "../session/access.js";
import type { SessionRecord } from "../session/record.js";
import { checkDuration, milliseconds } from "../session/time.js";
import type { SampleContext } from "./context.js";
import { follow, headerFor, noSource, ownSession, readable } from "./source.js";

/** Follows a session; with a spec, one that is made for this stream and ends with it. Requests and answers are bytes throughout. */
export function streamSamples(context: SampleContext) {
  return async (bytes: Buffer, outgoing: Outgoing<Buffer>, caller: Caller): Promise<void> => {
    const request = decodeRequest(StreamSamplesRequest, bytes);
    checkDuration(request.linger, "linger");
    requireNode(request.nodes, context, "nodes");
    switch (request.source?.$case) {
      case "session": {
        const { record } = seeSession(context, caller, request.source.value, "session");
        await follow(context, caller, record, openReader(context, caller, record, bytes), outgoing);
        return;
      }
      case "spec":
        requireNode(request.source.value.nodeSelector, context, "spec.node_selector");
        return streamOwn(context, request.source.value, caller, request, bytes, outgoing);
      case undefined:
        throw noSource();
    }
  };
}

async function streamOwn(
  context: SampleContext,
  spec: SessionSpec,
  caller: Caller,
  request: StreamSamplesRequest,
  bytes: Buffer,
  outgoing: Outgoing<Buffer>,
): Promise<void> {
  const { collector, sessions } = context;
  const lingerMs = request.linger === undefined ? 0 : milliseconds(request.linger);
  const session = await ownSession(context, caller, spec, { lingerMs });
  collector.checkReader(bytes, encodeScope(session.grant.scope));
  const record = await sessions.create(session);
  // Only a stream that broke can be taken up again.
  let broke = false;
  try {
    const reader = openReader(context, caller, record, bytes);
    broke = true;
    broke = !(await follow(context, caller, record, reader, outgoing));
  } finally {
    if (!broke || lingerMs === 0) await sessions.remove(record, StopReason.STREAM_CLOSED);
  }
}

function openReader(context: SampleContext, caller: Caller, record: SessionRecord, bytes: Buffer): ReaderHandle {
  return readable(record).reader(bytes, headerFor(context, caller, record));
}
