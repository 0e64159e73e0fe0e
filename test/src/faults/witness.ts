import { GetSessionRequest, SessionState, type GetSessionResponse, type Session } from "@latscope/proto";
import { expect } from "vitest";

import { expectBalanced } from "../harness/books.js";
import { unary, type SpecJson } from "../harness/client.js";
import { stop } from "../harness/measure.js";
import type { Service } from "../harness/service.js";
import type { Stage } from "../harness/stage.js";
import type { SampleStream } from "../harness/stream.js";
import { CLIENT, SERVER } from "../harness/topology.js";

const PORT = 443;

/** One sample a connection. */
export const HANDSHAKES: SpecJson = {
  probes: [{ tcp: { metrics: ["METRIC_TCP_HANDSHAKE_REMOTE"] } }],
  interfaces: [CLIENT.interface],
};

/** A session with a reader, beside which a fault happens to somebody else: it must miss nothing, and its books must balance. */
export class Witness {
  readonly #cast: Stage;
  readonly #service: Service;
  readonly #session: Session;
  readonly #reader: SampleStream;
  readonly #ports: number[] = [];

  private constructor(cast: Stage, service: Service, session: Session, reader: SampleStream) {
    this.#cast = cast;
    this.#service = service;
    this.#session = session;
    this.#reader = reader;
  }

  /** @param service another than the one of the cast */
  static async start(cast: Stage, service = cast.service): Promise<Witness> {
    const session = await service.client.create(HANDSHAKES);
    const reader = service.client.stream({ session: session.name });
    await reader.started();
    return new Witness(cast, service, session, reader);
  }

  get session(): string {
    return this.#session.name;
  }

  /** A connection is made, and the reader sees it. */
  async sees(): Promise<void> {
    await this.sawConnection(await connectOnce(this.#cast));
  }

  /** The reader sees the connection from this port. */
  async sawConnection(port: number): Promise<void> {
    this.#ports.push(port);
    await this.#reader.take(this.#ports.length);
  }

  /** Stops the session: each connection was seen once, nothing is in flight or lost. */
  async settle(): Promise<void> {
    const { client } = this.#service;
    const request = GetSessionRequest.fromPartial({ name: this.session });
    const { session } = await unary<GetSessionResponse>((answer) => client.sessions.getSession(request, answer));
    expect(session?.state).toBe(SessionState.RUNNING);
    expectBalanced(session?.stats?.totals);
    await stop(client, this.session);
    const { totals, sessionTotals } = await this.#reader.ended();
    expect(this.#reader.samples.map(({ flow }) => flow?.clientPort)).toEqual(this.#ports);
    expectBalanced(sessionTotals);
    expect(sessionTotals).toMatchObject({ delivered: BigInt(this.#ports.length), inFlight: 0n, losses: [] });
    expect(totals).toMatchObject({ delivered: BigInt(this.#ports.length), losses: [] });
  }
}

/** Makes a connection between the two ends. @returns its port at the client */
export async function connectOnce({ client }: Pick<Stage, "client">): Promise<number> {
  const connection = await client.connect(SERVER.v4, PORT);
  await connection.close();
  return connection.localPort;
}

/** Lets the server of the cast be connected to. */
export async function answering<Cast extends Pick<Stage, "server">>(cast: Cast): Promise<Cast> {
  await cast.server.listen(PORT);
  return cast;
}
