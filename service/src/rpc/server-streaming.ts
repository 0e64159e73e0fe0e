import type { handleServerStreamingCall } from "@grpc/grpc-js";
import { answerTo } from "../failure/answer.js";
import { callerOf, type Caller } from "./caller.js";
import { refuseWhileDraining, type RpcContext } from "./context.js";
import { requestOf } from "./definition.js";
import { Outgoing } from "./outgoing.js";

/** Serves a streaming method with an async function; the stream ends when it returns, or with the status of what it throws. */
export function serverStreaming<Request, Response>(
  context: RpcContext,
  handler: (request: Request, outgoing: Outgoing<Response>, caller: Caller) => Promise<void>,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const caller = callerOf(call);
    const outgoing = new Outgoing<Response>(call);
    const answer = async (): Promise<void> => {
      refuseWhileDraining(context);
      const leaveQuota = context.quotas.enterStream(caller);
      try {
        context.streams.enter();
        try {
          await handler(requestOf(call.request), outgoing, caller);
          caller.revoked.throwIfAborted();
        } finally {
          context.streams.leave();
        }
      } finally {
        leaveQuota();
      }
    };
    answer().then(
      () => call.end(),
      (error: unknown) => {
        const status = answerTo(error, caller.record, context.log);
        if (!outgoing.signal.aborted) call.emit("error", status);
      },
    );
  };
}
