import type { ServiceDefinition } from "@grpc/grpc-js";
import { Failure } from "../failure/failure.js";
import { malformed } from "./decode.js";

/**
 * A service whose methods also get bytes that are no message, as a Failure in place of the request: grpc-js would answer them
 * itself, without a word on why.
 */
export function withMalformed<Definition extends ServiceDefinition>(definition: Definition): Definition {
  const methods = Object.entries(definition).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): unknown => {
      try {
        return method.requestDeserialize(bytes);
      } catch (cause) {
        return malformed(cause);
      }
    };
    return [name, { ...method, requestDeserialize }];
  });
  return Object.fromEntries(methods) as Definition;
}

/** The request of a call to a service of `withMalformed`. @throws Failure MESSAGE_MALFORMED */
export function requestOf<Request>(request: Request): Request {
  if (request instanceof Failure) throw request;
  return request;
}
