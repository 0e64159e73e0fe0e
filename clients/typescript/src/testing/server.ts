import { rm } from "node:fs/promises";
import { Server, ServerCredentials, status, type ServerWritableStream } from "@grpc/grpc-js";
import {
  EndReason,
  SampleServiceService,
  SessionServiceService,
  StreamHistogramsResponse,
  StreamSamplesResponse,
  type DeleteSessionRequest,
  type StreamHistogramsRequest,
  type StreamSamplesRequest,
} from "@latscope/proto";

type Call = ServerWritableStream<StreamSamplesRequest, StreamSamplesResponse>;
type HistogramCall = ServerWritableStream<StreamHistogramsRequest, StreamHistogramsResponse>;
/** What a stream of histograms tells. */
export type HistogramEvent = Parameters<typeof StreamHistogramsResponse.fromPartial>[0]["event"];
type Event = Parameters<typeof StreamSamplesResponse.fromPartial>[0]["event"];

/** What a stream does once its samples are sent. */
export type Ending = "end" | "drain" | "break" | "stay" | "gone";

/** How one stream goes: samples from where the request says, in messages of two, and then. */
export interface Script {
  /** The first sample that does not come any more. */
  readonly until: number;
  readonly ending: Ending;
  /** An event to begin with. */
  readonly first?: Event;
}

/** A real gRPC server whose session has a sample for every number: sample n took n ns, and its cursor is "n". */
export class TestServer {
  readonly #server = new Server();
  readonly #scripts: Script[];
  /** The requests of all streams, in order. */
  readonly requests: StreamSamplesRequest[] = [];
  /** Sessions that were deleted. */
  readonly deleted: string[] = [];
  /** What streams of histograms tell; without End they stay. */
  histograms: readonly HistogramEvent[] = [];
  /** The requests of all streams of histograms, in order. */
  readonly histogramRequests: StreamHistogramsRequest[] = [];
  /** Streams that are over on the server's side. */
  closed = 0;

  private constructor(scripts: readonly Script[]) {
    this.#scripts = [...scripts];
  }

  /** @param scripts one for each stream that comes */
  static async start(socket: string, scripts: readonly Script[]): Promise<TestServer> {
    const server = new TestServer(scripts);
    await server.#listen(socket);
    return server;
  }

  /** Cuts every connection. */
  async stop(): Promise<void> {
    this.#server.forceShutdown();
    await Promise.resolve();
  }

  async #listen(socket: string): Promise<void> {
    await rm(socket, { force: true });
    this.#server.addService(SampleServiceService, {
      streamSamples: (call: Call) => {
        this.#stream(call);
      },
      streamHistograms: (call: HistogramCall) => {
        this.histogramRequests.push(call.request);
        call.on("close", () => this.closed++);
        for (const event of this.histograms)
          call.write(StreamHistogramsResponse.fromPartial({ session: "sessions/s-1", event }));
        if (this.histograms.at(-1)?.$case === "end") call.end();
      },
    });
    this.#server.addService(SessionServiceService, {
      deleteSession: (
        { request }: { request: DeleteSessionRequest },
        answer: (error: null, response: object) => void,
      ) => {
        this.deleted.push(request.name);
        answer(null, {});
      },
    });
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  #stream(call: Call): void {
    const { request } = call;
    this.requests.push(request);
    call.on("close", () => this.closed++);
    const script = this.#scripts.shift() ?? { until: 0, ending: "gone" };
    if (script.ending === "gone") {
      call.emit("error", { code: status.NOT_FOUND, details: "no such session" });
      return;
    }
    let at = request.start?.$case === "cursor" ? BigInt(request.start.value) : 0n;
    const send = (event: Event): void => {
      call.write(
        StreamSamplesResponse.fromPartial({ session: "sessions/s-1", cursor: String(at), nextIndex: at, event }),
      );
    };
    send({ $case: "start", value: {} });
    if (script.first !== undefined) send(script.first);
    const until = BigInt(script.until);
    const wanted = request.maxSamples === 0n ? until : at + request.maxSamples;
    const last = wanted < until ? wanted : until;
    while (at < last) {
      const numbers = at + 1n < last ? [at, at + 1n] : [at];
      at += BigInt(numbers.length);
      send({ $case: "rows", value: { samples: numbers.map(sample) } });
    }
    switch (script.ending) {
      case "end":
      case "drain":
        send({
          $case: "end",
          value: { reason: script.ending === "end" ? EndReason.SESSION_STOPPED : EndReason.DRAINING },
        });
        call.end();
        return;
      case "break":
        call.emit("error", { code: status.UNAVAILABLE, details: "broken on purpose" });
        return;
      case "stay":
    }
  }
}

function sample(n: bigint): { time: { seconds: bigint; nanos: number }; latency: { seconds: bigint; nanos: number } } {
  return { time: { seconds: 1_700_000_000n, nanos: 218_000_001 }, latency: { seconds: 0n, nanos: Number(n) } };
}
