import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";

import type { Scope } from "../harness/scope.js";

/** What begins every HTTP/2 connection of a client (RFC 9113, section 3.4). */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Frame types of RFC 9113, section 6. */
export const FrameType = { data: 0, headers: 1, settings: 4 } as const;

/** END_HEADERS of a HEADERS frame. */
export const END_HEADERS = 0x4;

/** A frame as it is on the wire. */
export function http2Frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literal fields that no table keeps (RFC 7541, section 6.2.2); names and values below 127 bytes. */
export function headerBlock(fields: Readonly<Record<string, string>>): Buffer {
  const literals = Object.entries(fields).map(([name, value]) =>
    Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]),
  );
  return Buffer.concat(literals);
}

/** The headers of a gRPC call. */
export function callHeaders(path: string): Buffer {
  return headerBlock({
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
  });
}

/** A gRPC message with its prefix. */
export function grpcMessage(bytes: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** A connection on which bytes are sent by hand; whatever the other side says or does is taken. */
export async function openBytes(scope: Scope, to: NetConnectOpts): Promise<Socket> {
  const socket = connect(to);
  scope.defer(() => {
    socket.destroy();
    return Promise.resolve();
  });
  await once(socket, "connect");
  socket.on("error", () => undefined).resume();
  return socket;
}
