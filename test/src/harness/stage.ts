import { Endpoint } from "./endpoint.js";
import type { Scope } from "./scope.js";
import { Service } from "./service.js";
import { direct, type Network } from "./topology.js";

/** The whole cast of a story. */
export interface Stage {
  readonly network: Network;
  /** The service, beside the client. */
  readonly service: Service;
  readonly client: Endpoint;
  readonly server: Endpoint;
}

/** Starts the service beside the client and a process at either end of `given`, or of one veth pair. */
export async function stage(scope: Scope, given?: Network): Promise<Stage> {
  const network = given ?? (await direct(scope));
  const [service, client, server] = await Promise.all([
    Service.start(scope, network.client),
    Endpoint.start(scope, network.client),
    Endpoint.start(scope, network.server),
  ]);
  return { network, service, client, server };
}
