import type { Server, ServerDuplexStream } from "@grpc/grpc-js";
import { Failure } from "../failure/failure.js";
import { toStatus } from "../failure/to-status.js";
import { callerOf } from "../rpc/caller.js";
import { identity } from "../rpc/identity.js";

/**
 * Lets calls to methods that a server does not have take the way of all others, interceptors first, and answers them then. grpc-js
 * answers them itself, before any interceptor: it would tell strangers what there is and what not.
 */
export function answerUnknownMethods(server: Server): void {
  const { handlers } = server as unknown as { handlers: Map<string, unknown> };
  const known = handlers.get.bind(handlers);
  handlers.get = (path) => known(path) ?? unknownMethod(path);
}

/** Bidirectional, and so as good for every kind of call: it answers before it has read anything. */
function unknownMethod(path: string): object {
  const func = (call: ServerDuplexStream<Buffer, Buffer>): void => {
    const failure = Failure.of("METHOD_UNKNOWN", `there is no method ${path} here`);
    callerOf(call).record.reason = failure.reason;
    call.emit("error", toStatus(failure));
  };
  return { type: "bidi", path, func, serialize: identity, deserialize: identity };
}
