import { StreamSamplesRequest } from "@latscope/proto";
import { once } from "node:events";
import { connect, constants, type ClientHttp2Session } from "node:http2";
import { createConnection } from "node:net";

/** An HTTP/2 connection without a gRPC library, which would end its calls in good order: this one can vanish. */
export class BareConnection {
  readonly #session: ClientHttp2Session;

  constructor(socket: string) {
    this.#session = connect("http://localhost", { createConnection: () => createConnection(socket) });
    this.#session.on("error", () => undefined);
  }

  /** Opens a stream and waits for its first bytes; then it takes nothing. @param request in the JSON form of the contract */
  async stream(request: Readonly<Record<string, unknown>>): Promise<void> {
    const call = this.#session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: "/latscope.v1.SampleService/StreamSamples",
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
      [constants.HTTP2_HEADER_TE]: "trailers",
    });
    call.on("error", () => undefined);
    const message = StreamSamplesRequest.encode(StreamSamplesRequest.fromJSON(request)).finish();
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    call.end(Buffer.concat([prefix, message]));
    await once(call, "readable");
  }

  /** Closes the connection without a word to the other side's HTTP/2. */
  vanish(): void {
    this.#session.destroy();
  }
}
