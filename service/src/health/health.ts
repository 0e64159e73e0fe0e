import { HealthCheckResponse_ServingStatus as ServingStatus } from "@latscope/proto/grpc/health";

export { ServingStatus };

/** What grpc.health.v1 tells of each service; the empty name is the server as a whole. */
export class Health {
  readonly #services: ReadonlySet<string>;
  readonly #listeners = new Set<() => void>();
  #status = ServingStatus.SERVING;

  constructor(services: Iterable<string>) {
    this.#services = new Set(["", ...services]);
  }

  /** @returns undefined for a service that this server does not have */
  of(service: string): ServingStatus | undefined {
    return this.#services.has(service) ? this.#status : undefined;
  }

  all(): Map<string, ServingStatus> {
    return new Map([...this.#services].map((service) => [service, this.#status]));
  }

  set(status: ServingStatus): void {
    this.#status = status;
    for (const listener of this.#listeners) listener();
  }

  /** Calls the listener after each change. @returns how to unsubscribe */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
