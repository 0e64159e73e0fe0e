import { StopReason, StreamHistogramsRequest, type SessionSpec } from "@latscope/proto";
import { encodeScope } from "../addon/scope.js";
import type { HistogramReaderHandle } from "../addon/types.js";
import { requireNode } from "../node/select.js";
import { decodeRequest } from "../rpc/decode.js";
import type { Outgoing } from "../rpc/outgoing.js";
import type { Caller } from "../rpc/caller.js";
import { seeSession } from "../session/access.js";
import type { SessionRecord } from "../session/record.js";
import type { SampleContext } from "./context.js";
import { follow, headerFor, noSource, ownSession, readable } from "./source.js";

/** Histograms of a session, interval by interval; with a spec, of one that ends with the stream. Requests and answers are bytes throughout. */
export function streamHistograms(context: SampleContext) {
  return async (bytes: Buffer, outgoing: Outgoing<Buffer>, caller: Caller): Promise<void> => {
    const { source, nodes } = decodeRequest(StreamHistogramsRequest, bytes);
    requireNode(nodes, context, "nodes");
    switch (source?.$case) {
      case "session": {
        const { record } = seeSession(context, caller, source.value, "session");
        await follow(context, caller, record, openReader(context, caller, record, bytes), outgoing);
        return;
      }
      case "spec":
        requireNode(source.value.nodeSelector, context, "spec.node_selector");
        return streamOwn(context, source.value, caller, bytes, outgoing);
      case undefined:
        throw noSource();
    }
  };
}

async function streamOwn(
  context: SampleContext,
  spec: SessionSpec,
  caller: Caller,
  bytes: Buffer,
  outgoing: Outgoing<Buffer>,
): Promise<void> {
  const { collector, sessions } = context;
  const session = await ownSession(context, caller, spec, { lingerMs: 0 });
  collector.checkHistogramReader(bytes, encodeScope(session.grant.scope));
  const record = await sessions.create(session);
  try {
    await follow(context, caller, record, openReader(context, caller, record, bytes), outgoing);
  } finally {
    await sessions.remove(record, StopReason.STREAM_CLOSED);
  }
}

function openReader(
  context: SampleContext,
  caller: Caller,
  record: SessionRecord,
  bytes: Buffer,
): HistogramReaderHandle {
  return readable(record).histogramReader(bytes, headerFor(context, caller, record));
}
