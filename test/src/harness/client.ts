import { credentials, type ServiceError } from "@grpc/grpc-js";
import {
  CreateSessionRequest,
  NodeServiceClient,
  SampleServiceClient,
  SessionServiceClient,
  SessionSpec,
  StreamSamplesRequest,
  type CreateSessionResponse,
  type GetStatusResponse,
  type HostStatus,
  type Session,
} from "@latscope/proto";
import { HealthCheckResponse_ServingStatus, HealthClient, type HealthCheckResponse } from "@latscope/proto/grpc/health";

import type { Scope } from "./scope.js";
import { SampleStream } from "./stream.js";

/** A spec in the JSON form of the contract, as a person writes it for grpcurl. */
export type SpecJson = Readonly<Record<string, unknown>>;

/** Every TCP metric of every flow. */
export const ALL_TCP: SpecJson = { probes: [{ tcp: {} }] };

type Answer<Response> = (error: ServiceError | null, response: Response) => void;

/** A typed client on a connection of its own. */
export class Client {
  readonly sessions: SessionServiceClient;
  readonly samples: SampleServiceClient;
  readonly nodes: NodeServiceClient;
  readonly health: HealthClient;

  constructor(scope: Scope, address: string) {
    const plain = credentials.createInsecure();
    const options = {
      // A channel of this object's own: another client's reconnect back-off must not hold it up.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 100,
    };
    this.sessions = new SessionServiceClient(address, plain, options);
    this.samples = new SampleServiceClient(address, plain, options);
    this.nodes = new NodeServiceClient(address, plain, options);
    this.health = new HealthClient(address, plain, options);
    scope.defer(() => {
      for (const one of [this.sessions, this.samples, this.nodes, this.health]) one.close();
      return Promise.resolve();
    });
  }

  /** Waits until the service is there and SERVING. */
  async serving(withinMs = 20_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.health.waitForReady(Date.now() + withinMs, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
    const { status } = await unary<HealthCheckResponse>((answer) => this.health.check({ service: "" }, answer));
    if (status !== HealthCheckResponse_ServingStatus.SERVING) throw new Error(`health is ${String(status)}`);
  }

  /** What the service tells of its host. */
  async status(): Promise<HostStatus> {
    const { nodes } = await unary<GetStatusResponse>((answer) => this.nodes.getStatus({ nodes: undefined }, answer));
    const [status] = nodes;
    if (status === undefined) throw new Error("GetStatus answered no host");
    return status;
  }

  /** Creates a session and gives it back as the server answered. */
  async create(spec: SpecJson, sessionId = ""): Promise<Session> {
    const request = CreateSessionRequest.fromPartial({ sessionId });
    request.session = CreateSessionRequest.fromJSON({ session: { spec } }).session;
    const { session } = await unary<CreateSessionResponse>((answer) => this.sessions.createSession(request, answer));
    if (session === undefined) throw new Error("CreateSession answered no session");
    return session;
  }

  /** Opens a stream; the request is in the JSON form of the contract. */
  stream(request: Readonly<Record<string, unknown>>): SampleStream {
    return new SampleStream(this.samples.streamSamples(StreamSamplesRequest.fromJSON(request)));
  }

  /** Opens a stream with a session of its own and waits until it is attached. */
  async watch(spec: SpecJson, more: Readonly<Record<string, unknown>> = {}): Promise<SampleStream> {
    // Told early where a spec of a test is misspelt, which fromJSON passes over.
    const known = SessionSpec.toJSON(SessionSpec.fromJSON(spec)) as Record<string, unknown>;
    const lost = Object.keys(spec).filter((key) => !(key in known));
    if (lost.length > 0) throw new Error(`no such field of SessionSpec: ${lost.join(", ")}`);
    const stream = this.stream({ spec, ...more });
    await stream.started();
    return stream;
  }
}

/** A unary call as a promise; rejects with the ServiceError. */
export function unary<Response>(call: (answer: Answer<Response>) => unknown): Promise<Response> {
  return new Promise((resolve, reject) => {
    call((error, response) => {
      if (error) reject(error);
      else resolve(response);
    });
  });
}
