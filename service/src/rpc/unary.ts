import type { handleUnaryCall } from "@grpc/grpc-js";
import { answerTo } from "../failure/answer.js";
import { refuseWhileDraining, type RpcContext } from "./context.js";
import { requestOf } from "./definition.js";
import { peerOf, type Peer } from "./peer.js";

/** Serves a unary method with an async function; whatever that throws becomes a status. */
export function unary<Request, Response>(
  context: RpcContext,
  handler: (request: Request, peer: Peer) => Promise<Response> | Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const answer = async (): Promise<Response> => {
      refuseWhileDraining(context);
      return handler(requestOf(call.request), peerOf(call));
    };
    answer().then(
      (response) => {
        callback(null, response);
      },
      (error: unknown) => {
        callback(answerTo(error, call.getPath(), context.log));
      },
    );
  };
}
