import type { handleServerStreamingCall } from "@grpc/grpc-js";
import { answerTo } from "../failure/answer.js";
import { refuseWhileDraining, type RpcContext } from "./context.js";
import { requestOf } from "./definition.js";
import { Outgoing } from "./outgoing.js";
import { peerOf, type Peer } from "./peer.js";

/** Serves a streaming method with an async function; the stream ends when it returns, or with the status of what it throws. */
export function serverStreaming<Request, Response>(
  context: RpcContext,
  handler: (request: Request, outgoing: Outgoing<Response>, peer: Peer) => Promise<void>,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const outgoing = new Outgoing<Response>(call);
    const answer = async (): Promise<void> => {
      refuseWhileDraining(context);
      context.streams.enter();
      try {
        await handler(requestOf(call.request), outgoing, peerOf(call));
      } finally {
        context.streams.leave();
      }
    };
    answer().then(
      () => call.end(),
      (error: unknown) => {
        const status = answerTo(error, call.getPath(), context.log);
        if (!outgoing.signal.aborted) call.emit("error", status);
      },
    );
  };
}
