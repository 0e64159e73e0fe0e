import { Metadata, status } from "@grpc/grpc-js";
import { connect, constants, type ClientHttp2Session } from "node:http2";
import { createConnection } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, it } from "vitest";
import { summaryOf } from "../testing/status-details.js";
import { startTestServer, type TestServer } from "../testing/test-server.js";

let server: TestServer;
let session: ClientHttp2Session;

beforeEach(async () => {
  server = await startTestServer();
  session = connect("http://localhost", { createConnection: () => createConnection(server.socket) });
});
afterEach(async () => {
  session.destroy();
  await server.stop();
});

/** A message with its prefix, as large as it says or not. */
function framed(bytes: Buffer, compressed = 0, length = bytes.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressed);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, bytes]);
}

async function answer(path: string, body: Buffer, headers: Record<string, string> = {}): Promise<unknown> {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let told: Record<string, unknown> = {};
  const take = (more: Record<string, unknown>): void => {
    told = { ...told, ...more };
  };
  stream.on("response", take).on("trailers", take).resume();
  stream.end(body);
  await once(stream, "close");
  const metadata = new Metadata();
  const details = told["grpc-status-details-bin"];
  if (typeof details === "string") metadata.set("grpc-status-details-bin", Buffer.from(details, "base64"));
  return { ...summaryOf({ code: Number(told["grpc-status"]), metadata }), http: told[constants.HTTP2_HEADER_STATUS] };
}

const method = "/latscope.v1.SessionService/ListSessions";
const watch = "/latscope.v1.SessionService/WatchSessions";

it.each([
  ["a request that is too large", method, framed(Buffer.alloc(300_000)), {}, "RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE"],
  [
    "a deadline that passes",
    watch,
    framed(Buffer.alloc(0)),
    { "grpc-timeout": "1m" },
    "DEADLINE_EXCEEDED",
    "DEADLINE_EXCEEDED",
  ],
  [
    "a deadline that is none",
    method,
    framed(Buffer.alloc(0)),
    { "grpc-timeout": "soon" },
    "INVALID_ARGUMENT",
    "MESSAGE_MALFORMED",
  ],
  [
    "an unknown compression",
    method,
    framed(Buffer.alloc(9), 1),
    { "grpc-encoding": "br" },
    "UNIMPLEMENTED",
    "ENCODING_UNKNOWN",
  ],
  [
    "bytes that are not compressed",
    method,
    framed(Buffer.alloc(9), 1),
    { "grpc-encoding": "gzip" },
    "INVALID_ARGUMENT",
    "MESSAGE_MALFORMED",
  ],
  [
    "a method that is none",
    "/latscope.v1.SessionService/No",
    framed(Buffer.alloc(0)),
    {},
    "UNIMPLEMENTED",
    "METHOD_UNKNOWN",
  ],
  [
    "bytes that the health service cannot read",
    "/grpc.health.v1.Health/Check",
    framed(Buffer.from("0a7f", "hex")),
    {},
    "INVALID_ARGUMENT",
    "MESSAGE_MALFORMED",
  ],
] as const)("%s has a reason", async (_, path, body, headers, code, reason) => {
  expect(await answer(path, body, headers)).toEqual({ code: status[code], reason, fields: [], http: 200 });
});
