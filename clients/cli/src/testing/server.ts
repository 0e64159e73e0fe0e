import { Server, ServerCredentials, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import {
  NodeServiceService,
  SampleServiceService,
  SessionServiceService,
  type NodeServiceServer,
  type SampleServiceServer,
  type SessionServiceServer,
} from "@latscope/proto";

/** What a test answers; the rest is UNIMPLEMENTED. */
export interface Answers {
  sessions?: Partial<SessionServiceServer>;
  samples?: Partial<SampleServiceServer>;
  nodes?: Partial<NodeServiceServer>;
}

/** A real gRPC server on a port of the kernel's choice, which answers what a test has ready. */
export class TestServer {
  readonly #server: Server;
  /** As `--address` takes it. */
  readonly address: string;

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  static async start({ sessions = {}, samples = {}, nodes = {} }: Answers): Promise<TestServer> {
    const server = new Server();
    server.addService(SessionServiceService, complete(SessionServiceService, sessions));
    server.addService(SampleServiceService, complete(SampleServiceService, samples));
    server.addService(NodeServiceService, complete(NodeServiceService, nodes));
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    return new TestServer(server, `127.0.0.1:${port}`);
  }

  [Symbol.dispose](): void {
    this.#server.forceShutdown();
  }
}

function complete(service: object, answers: object): UntypedServiceImplementation {
  const missing = (call: { emit?: (event: string, error: object) => void }, callback?: (error: object) => void) => {
    const error = { code: status.UNIMPLEMENTED, details: "not in this test" };
    if (callback === undefined) call.emit?.("error", error);
    else callback(error);
  };
  const none = Object.fromEntries(Object.keys(service).map((method) => [method, missing]));
  return { ...none, ...answers };
}
