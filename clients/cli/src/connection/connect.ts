import type { ChannelCredentials, ClientOptions, ServiceError } from "@grpc/grpc-js";
import { NodeServiceClient, SampleServiceClient, SessionServiceClient } from "@latscope/proto";
import type { Address } from "./address.js";

/** The service's clients, over one channel. */
export interface Connection {
  address: Address;
  sessions: SessionServiceClient;
  samples: SampleServiceClient;
  nodes: NodeServiceClient;
  /** Ends the channel, and with it every call. */
  close: () => void;
}

const options: ClientOptions = {
  // The service is on this host or behind a tunnel to it; a proxy for the web has no part in that.
  "grpc.enable_http_proxy": 0,
  // A host that vanished without a word must not look like one where nothing happens.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
};

/** A lazy connection: nothing is sent before the first call. */
export function connect(address: Address, credentials: ChannelCredentials): Connection {
  const sessions = new SessionServiceClient(address.target, credentials, options);
  const shared: ClientOptions = { channelOverride: sessions.getChannel() };
  return {
    address,
    sessions,
    samples: new SampleServiceClient(address.target, credentials, shared),
    nodes: new NodeServiceClient(address.target, credentials, shared),
    close: () => {
      sessions.close();
    },
  };
}

/** A unary call as a promise. @throws ServiceError */
export function call<Response>(
  start: (callback: (error: ServiceError | null, response: Response) => void) => unknown,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    start((error, response) => {
      if (error === null) resolve(response);
      else reject(error);
    });
  });
}
