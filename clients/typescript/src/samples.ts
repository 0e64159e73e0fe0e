import { setTimeout as delay } from "node:timers/promises";
import { status, type ServiceError } from "@grpc/grpc-js";
import {
  EndReason,
  type End,
  type SampleServiceClient,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from "@latscope/proto";
import { failures } from "./ending.js";
import { messages } from "./messages.js";
import { requestOf, type SampleOptions } from "./options.js";
import { sampleOf, type Sample } from "./sample.js";

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 5_000;

const breaks: ReadonlySet<unknown> = new Set([status.UNAVAILABLE, status.CANCELLED]);

/** Where a stream is: enough to go on there after a break. */
interface Place {
  readonly session: string;
  readonly cursor: string;
}

/** The samples of one session over as many connections as it takes. */
export class SampleReader implements AsyncIterable<Sample> {
  readonly #client: SampleServiceClient;
  readonly #options: SampleOptions;
  readonly #drop: (session: string) => Promise<void>;

  /** @param drop takes away a session that the stream made and that would linger */
  constructor(client: SampleServiceClient, options: SampleOptions, drop: (session: string) => Promise<void>) {
    this.#client = client;
    this.#options = options;
    this.#drop = drop;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Sample, void, undefined> {
    const { signal, onReconnect } = this.#options;
    const first = requestOf(this.#options);
    let place: Place | undefined;
    let received = 0n;
    let attempts = 0;
    let end: End | undefined;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const call = this.#client.streamSamples(resumed(first, place, received));
        let cause: ServiceError | undefined;
        try {
          for await (const message of messages(call, signal)) {
            place = message;
            attempts = 0;
            if (message.event?.$case === "end") end = message.event.value;
            else yield* this.#samplesOf(message, (count) => (received += count));
          }
        } catch (error) {
          signal?.throwIfAborted();
          // Before the first message there is no place to go back to, and a caller wants to hear that nobody is there.
          if (place === undefined || !isBreak(error)) throw error;
          cause = error;
        }
        if (end !== undefined && end.reason !== EndReason.DRAINING) {
          this.#finish(end);
          return;
        }
        end = undefined;
        if (first.maxSamples > 0n && received >= first.maxSamples) return;
        const delayMs = backoff(attempts++);
        onReconnect?.(cause, delayMs);
        // Aborted while it waits: the next round throws the signal's own reason.
        await delay(delayMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      }
    } finally {
      if (this.#options.spec !== undefined && place !== undefined && end === undefined) await this.#drop(place.session);
    }
  }

  *#samplesOf({ event }: StreamSamplesResponse, count: (samples: bigint) => void): Generator<Sample, void, undefined> {
    const { signal, onLoss } = this.#options;
    if (event?.$case === "loss") onLoss?.(event.value);
    if (event?.$case !== "rows") return;
    // The cursor is already behind all of them.
    count(BigInt(event.value.samples.length));
    for (const row of event.value.samples) {
      signal?.throwIfAborted();
      yield sampleOf(row);
    }
  }

  #finish(end: End): void {
    this.#options.onEnd?.(end);
    if (failures.has(end.reason)) throw new Error(`the stream of samples ended: ${EndReason[end.reason]}`);
  }
}

function resumed(first: StreamSamplesRequest, place: Place | undefined, received: bigint): StreamSamplesRequest {
  if (place === undefined) return first;
  return {
    ...first,
    source: { $case: "session", value: place.session },
    start: { $case: "cursor", value: place.cursor },
    linger: undefined,
    maxSamples: first.maxSamples === 0n ? 0n : first.maxSamples - received,
  };
}

/** Whether the connection, not the request, was the trouble. A server that is cut off in a hurry cancels its streams. */
function isBreak(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && breaks.has(error.code);
}

/** Doubles up to the longest; the random half keeps many clients from coming back at once. */
function backoff(attempts: number): number {
  const longest = Math.min(FIRST_DELAY_MS * 2 ** attempts, LONGEST_DELAY_MS);
  return Math.round(longest * (0.5 + Math.random() / 2));
}
