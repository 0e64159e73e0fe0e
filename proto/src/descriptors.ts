import { readFile } from "node:fs/promises";

/** The file descriptor set (google.protobuf.FileDescriptorSet) of everything latscope serves, imports included. */
export function readDescriptorSet(): Promise<Buffer> {
  return readFile(new URL("../../gen/latscope.binpb", import.meta.url));
}
