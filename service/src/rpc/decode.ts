import type { BinaryReader } from "@bufbuild/protobuf/wire";
import { Failure } from "../failure/failure.js";

interface Decoder<T> {
  decode(input: BinaryReader | Uint8Array): T;
}

/** Decodes a request that came as bytes. @throws Failure MESSAGE_MALFORMED */
export function decodeRequest<T>(type: Decoder<T>, bytes: Uint8Array): T {
  try {
    return type.decode(bytes);
  } catch (cause) {
    throw Failure.of(
      "MESSAGE_MALFORMED",
      `the request is not the protobuf message it should be: ${(cause as Error).message}`,
    );
  }
}
