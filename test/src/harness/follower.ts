import type { ServiceError } from "@grpc/grpc-js";
import { EndReason, type StreamSamplesResponse, type Totals } from "@latscope/proto";
import { expect } from "vitest";

import type { Client } from "./client.js";
import { seen } from "./failure.js";
import { lostByReader, sampleCount, type SampleStream } from "./stream.js";

/** One reader of a session through all its reconnects, and its books. */
export class Follower {
  readonly #client: Client;
  readonly #request: Readonly<Record<string, unknown>>;
  readonly #earlier: (readonly StreamSamplesResponse[])[] = [];
  #stream: SampleStream;

  /** @param request a StreamSamplesRequest in the JSON form of the contract */
  constructor(client: Client, request: Readonly<Record<string, unknown>>) {
    this.#client = client;
    this.#request = request;
    this.#stream = client.stream(request);
  }

  /** Samples that came, of all its streams together. */
  get delivered(): bigint {
    return sum(this.#messages, (message) => BigInt(sampleCount(message)));
  }

  /** Samples that its filters left out. */
  get filtered(): bigint {
    return sum(this.#messages, (message) => message.filtered);
  }

  /** Samples that it was told as lost. */
  get lost(): bigint {
    return sum(this.#messages, lostByReader);
  }

  /** How often it came back. */
  get resumed(): number {
    return this.#earlier.length;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Goes away and comes back: with the cursor of the last message that it took, or another. */
  reconnect(cursor?: string): void {
    const messages = [...this.#stream.messages];
    this.#stream.cancel();
    const last = messages.at(-1) ?? this.#earlier.at(-1)?.at(-1);
    if (messages.length > 0) this.#earlier.push(messages);
    const from = cursor ?? last?.cursor;
    const start = from === undefined ? {} : { position: undefined, cursor: from };
    this.#stream = this.#client.stream({ ...this.#request, ...start });
  }

  cancel(): void {
    this.#stream.cancel();
  }

  /**
   * Reads to End, coming back with the cursor of the failure whenever the service cut it off for being slow; then holds its books
   * against those of the service.
   * @param deleted the session is gone: who comes back finds nothing
   */
  async settle(deleted = false): Promise<void> {
    for (;;) {
      this.resume();
      try {
        const end = await this.#stream.ended();
        this.#check(end.reason, end.totals, end.sessionTotals);
        return;
      } catch (error) {
        if (!(error instanceof Error && "metadata" in error)) throw error;
        const { reason, metadata } = seen(error as ServiceError);
        if (deleted && reason === "SESSION_NOT_FOUND") return;
        if (reason !== "READER_TOO_SLOW") throw error;
        this.reconnect(metadata["cursor"]);
      }
    }
  }

  #check(reason: EndReason, totals: Totals | undefined, session: Totals | undefined): void {
    const streams = [...this.#earlier, this.#stream.messages];
    for (const [at, messages] of streams.entries()) {
      const before = streams[at - 1]?.at(-1);
      if (before !== undefined) expect(messages[0]?.firstIndex).toBe(before.nextIndex);
    }
    const messages = this.#stream.messages;
    const delivered = sum(messages, (message) => BigInt(sampleCount(message)));
    const filtered = sum(messages, (message) => message.filtered);
    const lost = sum(messages, lostByReader);
    expect({
      delivered: totals?.delivered,
      filtered: totals?.filtered,
      lost: totals?.losses.reduce((total, { count }) => total + count, 0n),
    }).toEqual({ delivered, filtered, lost });
    const last = messages.at(-1)?.nextIndex ?? 0n;
    expect(last - (messages[0]?.firstIndex ?? 0n)).toBe(delivered + filtered + lost);
    if (reason === EndReason.SESSION_STOPPED) expect(last).toBe(session?.delivered);
  }

  get #messages(): StreamSamplesResponse[] {
    return [...this.#earlier.flat(), ...this.#stream.messages];
  }
}

function sum(messages: readonly StreamSamplesResponse[], count: (message: StreamSamplesResponse) => bigint): bigint {
  return messages.reduce((total, message) => total + count(message), 0n);
}
