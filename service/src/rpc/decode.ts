import type { BinaryReader } from "@bufbuild/protobuf/wire";
import { Failure } from "../failure/failure.js";
import { reasonOf } from "../failure/reason-of.js";

interface Decoder<T> {
  decode(input: BinaryReader | Uint8Array): T;
}

/** Decodes a request that came as bytes. @throws Failure MESSAGE_MALFORMED */
export function decodeRequest<T>(type: Decoder<T>, bytes: Uint8Array): T {
  try {
    return type.decode(bytes);
  } catch (cause) {
    throw malformed(cause);
  }
}

export function malformed(cause: unknown): Failure {
  const why = reasonOf(cause);
  return Failure.of("MESSAGE_MALFORMED", `the request is not the protobuf message it should be: ${why}`);
}
