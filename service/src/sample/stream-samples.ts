import { StopReason, StreamSamplesRequest, type SessionSpec } from "@latscope/proto";
import type { ReaderHandle } from "../addon/types.js";
import { Failure } from "../failure/failure.js";
import { requireNode } from "../node/select.js";
import { decodeRequest } from "../rpc/decode.js";
import type { Outgoing } from "../rpc/outgoing.js";
import type { Peer } from "../rpc/peer.js";
import type { SessionRecord } from "../session/record.js";
import { checkDuration, milliseconds } from "../session/time.js";
import type { SampleContext } from "./context.js";
import { pump } from "./pump.js";

/** Follows a session; with a spec, one that is made for this stream and ends with it. Requests and answers are bytes throughout. */
export function streamSamples(context: SampleContext) {
  return async (bytes: Buffer, outgoing: Outgoing<Buffer>, { owner }: Peer): Promise<void> => {
    const request = decodeRequest(StreamSamplesRequest, bytes);
    checkDuration(request.linger, "linger");
    requireNode(request.nodes, context, "nodes");
    switch (request.source?.$case) {
      case "session": {
        const record = context.sessions.get(request.source.value, "session");
        await follow(context, record, openReader(context, record, bytes), outgoing);
        return;
      }
      case "spec":
        requireNode(request.source.value.nodeSelector, context, "spec.node_selector");
        return streamOwn(context, { spec: request.source.value, owner }, request, bytes, outgoing);
      case undefined:
        throw Failure.field("FIELD_REQUIRED", "source", "give a session (sessions/{id}) or a spec");
    }
  };
}

async function streamOwn(
  context: SampleContext,
  session: { spec: SessionSpec; owner: string },
  request: StreamSamplesRequest,
  bytes: Buffer,
  outgoing: Outgoing<Buffer>,
): Promise<void> {
  const { collector, sessions } = context;
  const lingerMs = request.linger === undefined ? 0 : milliseconds(request.linger);
  collector.checkReader(bytes);
  const record = await sessions.create({ ...session, displayName: "", labels: {}, stream: { lingerMs } });
  // Only a stream that broke can be taken up again.
  let broke = false;
  try {
    const reader = openReader(context, record, bytes);
    broke = true;
    broke = !(await follow(context, record, reader, outgoing));
  } finally {
    if (!broke || lingerMs === 0) await sessions.remove(record, StopReason.STREAM_CLOSED);
  }
}

function openReader({ node }: SampleContext, record: SessionRecord, bytes: Buffer): ReaderHandle {
  if (record.handle === undefined) throw starting(record.name);
  return record.handle.reader(bytes, { node, session: record.name });
}

/** @returns whether the stream came to its End message */
async function follow(
  { sessions, draining }: SampleContext,
  record: SessionRecord,
  reader: ReaderHandle,
  outgoing: Outgoing<Buffer>,
): Promise<boolean> {
  sessions.enter(record);
  try {
    return await pump(reader, outgoing, draining);
  } finally {
    sessions.leave(record);
  }
}

function starting(name: string): Failure {
  const description = "it is still starting";
  return Failure.of("SESSION_STARTING", `${name}: ${description}`, {
    precondition: [{ type: "STATE", subject: name, description }],
    retryAfterMs: 100,
  });
}
