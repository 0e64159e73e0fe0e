import type { DescMethod } from "@bufbuild/protobuf";
import { once } from "node:events";
import { connect, constants, type ClientHttp2Session } from "node:http2";
import { createConnection } from "node:net";

import { callHeaders, END_HEADERS, FrameType, grpcMessage, http2Frame, openBytes, PREFACE } from "./bytes.js";
import { Scope } from "../harness/scope.js";

/** Numbers from 0 to below 1. */
export type Random = () => number;

/** Changes bytes: flips bits, overwrites, leaves out, repeats, cuts off; sometimes it is left as it is. */
export function mutated(bytes: Buffer, random: Random): Buffer {
  let changed = Buffer.from(bytes);
  const at = (length: number): number => Math.floor(random() * length);
  for (let times = at(4); times > 0 && changed.length > 0; times--) {
    const place = at(changed.length);
    const some = 1 + at(Math.min(16, changed.length - place));
    const [head, tail] = [changed.subarray(0, place), changed.subarray(place + some)];
    switch (at(5)) {
      case 0:
        changed[place] = (changed[place] ?? 0) ^ (1 << at(8));
        break;
      case 1:
        changed[place] = [0x00, 0x7f, 0x80, 0xff][at(4)] ?? 0;
        break;
      case 2:
        changed = Buffer.concat([head, tail]);
        break;
      case 3:
        changed = Buffer.concat([head, changed.subarray(place, place + some), changed.subarray(place)]);
        break;
      default:
        changed = Buffer.from(head);
    }
  }
  return changed;
}

/** One connection whose bytes are no HTTP/2, or not quite; resolves when the other side has closed it or has answered something. */
export async function sendBadConnection(socket: string, request: Buffer, random: Random): Promise<void> {
  const scope = new Scope();
  const open = await openBytes(scope, { path: socket });
  const frames = [
    PREFACE,
    http2Frame(FrameType.settings, 0, 0),
    http2Frame(FrameType.headers, END_HEADERS, 1, callHeaders("/latscope.v1.NodeService/GetStatus")),
    http2Frame(FrameType.data, 1, 1, grpcMessage(request)),
  ];
  // With the preface whole more of what comes behind it is reached.
  const [preface = PREFACE, ...rest] = frames;
  const body = mutated(Buffer.concat(rest), random);
  open.end(random() < 0.9 ? Buffer.concat([preface, body]) : mutated(Buffer.concat(frames), random));
  await Promise.race([once(open, "close"), once(open, "data")]);
  await scope.close();
}

/** Calls on one connection after the other, each with a message of any bytes. */
export class BadMessages {
  readonly #socket: string;
  #session: ClientHttp2Session | undefined;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** @returns grpc-status, or undefined when the stream was reset or answered with a message; then it is over as well */
  async send({ parent, name }: DescMethod, body: Buffer): Promise<number | undefined> {
    const session = this.#connected();
    const call = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: `/${parent.typeName}/${name}`,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
      [constants.HTTP2_HEADER_TE]: "trailers",
      "grpc-timeout": "1S",
    });
    let status: string | undefined;
    const take = (headers: Readonly<Record<string, unknown>>): void => {
      status ??= headers["grpc-status"] as string | undefined;
    };
    call.on("response", take).on("trailers", take);
    call.on("error", () => undefined);
    // Streams that the message happens to be right for are left at their first message.
    call.once("data", () => {
      if (name.startsWith("Stream") || name.startsWith("Watch")) call.close(constants.NGHTTP2_CANCEL);
    });
    call.end(body);
    await new Promise<void>((resolve) => call.once("close", resolve));
    return status === undefined ? undefined : Number(status);
  }

  close(): void {
    this.#session?.destroy();
  }

  #connected(): ClientHttp2Session {
    if (this.#session === undefined || this.#session.destroyed || this.#session.closed) {
      this.#session = connect("http://localhost", { createConnection: () => createConnection(this.#socket) });
      this.#session.on("error", () => undefined);
    }
    return this.#session;
  }
}
