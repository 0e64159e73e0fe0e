import type { handleUnaryCall } from "@grpc/grpc-js";
import { answerTo } from "../failure/answer.js";
import { callerOf, type Caller } from "./caller.js";
import { refuseWhileDraining, type RpcContext } from "./context.js";
import { requestOf } from "./definition.js";

/** Serves a unary method with an async function; whatever that throws becomes a status. */
export function unary<Request, Response>(
  context: RpcContext,
  handler: (request: Request, caller: Caller) => Promise<Response> | Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const caller = callerOf(call);
    const answer = async (): Promise<Response> => {
      refuseWhileDraining(context);
      return handler(requestOf(call.request), caller);
    };
    answer().then(
      (response) => {
        callback(null, response);
      },
      (error: unknown) => {
        callback(answerTo(error, caller.record, context.log));
      },
    );
  };
}
