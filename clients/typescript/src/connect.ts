import { credentials as grpcCredentials, Metadata, type ChannelCredentials, type ClientOptions } from "@grpc/grpc-js";
import { NodeServiceClient, SampleServiceClient, SessionServiceClient } from "@latscope/proto";
import { intervals, type HistogramOptions, type Interval } from "./histograms.js";
import type { SampleOptions } from "./options.js";
import type { Sample } from "./sample.js";
import { SampleReader } from "./samples.js";

/** A connection to the service, made when it is first needed. */
export interface Latscope extends Disposable {
  /**
   * Samples as they come. When the connection breaks it goes on where it was, by cursor: none twice, none left out.
   * Each loop over it is a stream of its own. Leaving the loop ends the stream, and a session that `spec` made.
   *
   * It throws when the service refuses the request or cannot be reached the first time (`ServiceError`, with its gRPC
   * `code`), when the session is gone after a break (NOT_FOUND), when it failed, and when `signal` is aborted.
   */
  samples(options: SampleOptions): AsyncIterable<Sample>;
  /**
   * What the kernel counted, an interval at a time. Each loop over it is a stream of its own; leaving the loop ends the stream, and
   * a session that `spec` made.
   *
   * It throws when the call fails (`ServiceError`), also when the connection breaks: what was counted meanwhile would be missing;
   * when the session failed or the service shuts down; and when `signal` is aborted.
   */
  histograms(options: HistogramOptions): AsyncIterable<Interval>;
  /** The services of the contract, for everything else. */
  readonly sessionService: SessionServiceClient;
  readonly sampleService: SampleServiceClient;
  readonly nodeService: NodeServiceClient;
  /** Lets the connection go, once the loops over samples are left. */
  close(): void;
}

const options: ClientOptions = {
  // The service is on this host or behind a tunnel to it; a proxy for the web has no part in that.
  "grpc.enable_http_proxy": 0,
  // A host that vanished without a word must not look like one where nothing happens.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  // Streams have a back-off of their own; the channel's must not be longer.
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 5_000,
};

/** How long leaving a loop may wait for a session to be taken away; one that stays ends by itself. */
const DROP_MS = 1_000;

/**
 * @param address `unix:/run/latscope/latscope.sock` or `host:port`
 * @param credentials default: none, which is right for the unix socket; `tls({...})` for a TLS listener
 */
export function connect(address: string, credentials: ChannelCredentials = grpcCredentials.createInsecure()): Latscope {
  const sessionService = new SessionServiceClient(address, credentials, options);
  const shared: ClientOptions = { channelOverride: sessionService.getChannel() };
  const sampleService = new SampleServiceClient(address, credentials, shared);
  const nodeService = new NodeServiceClient(address, credentials, shared);
  const drop = (name: string): Promise<void> =>
    new Promise((resolve) => {
      const request = { name, etag: "", force: true };
      sessionService.deleteSession(request, new Metadata(), { deadline: Date.now() + DROP_MS }, () => {
        resolve();
      });
    });
  const close = (): void => {
    sessionService.close();
  };
  return {
    samples: (wanted) => new SampleReader(sampleService, wanted, drop),
    histograms: (wanted) => ({ [Symbol.asyncIterator]: () => intervals(sampleService, wanted) }),
    sessionService,
    sampleService,
    nodeService,
    close,
    [Symbol.dispose]: close,
  };
}
