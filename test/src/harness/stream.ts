import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import { LossStage, type End, type Sample, type Start, type StreamSamplesResponse } from "@latscope/proto";

/** A case of the event of a message: "start", "rows", "loss", "heartbeat", "sessionChange", "end". */
export type EventCase = NonNullable<StreamSamplesResponse["event"]>["$case"];

/**
 * Follows one StreamSamples call. Whatever a test looks for, every message is held against what the contract says of all streams: Start
 * comes first and once, nothing comes after End, and the indexes leave no gap.
 */
export class SampleStream {
  readonly #call: ClientReadableStream<StreamSamplesResponse>;
  readonly #unread: StreamSamplesResponse[] = [];
  #waiting: (() => void)[] = [];
  #closed = false;
  #failure: Error | undefined;
  #nextIndex: bigint | undefined;
  #sawEnd = false;

  /** Every message so far, in order. */
  readonly messages: StreamSamplesResponse[] = [];

  constructor(call: ClientReadableStream<StreamSamplesResponse>) {
    this.#call = call;
    call.on("data", (message: StreamSamplesResponse) => {
      this.#failure ??= this.#breach(message);
      this.messages.push(message);
      this.#unread.push(message);
      this.#wake();
    });
    call.on("error", (error: ServiceError) => {
      this.#failure ??= error;
      this.#wake();
    });
    call.on("close", () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Every sample so far, in order. */
  get samples(): Sample[] {
    return this.messages.flatMap(samplesOf);
  }

  /** The next message; null when the call is over with status OK. Rejects with the ServiceError, or a breach of the contract. */
  async next(withinMs = 20_000): Promise<StreamSamplesResponse | null> {
    const message = await this.#take(withinMs);
    if (message === null && !this.#sawEnd) throw new Error("the stream ended with OK and without End");
    return message;
  }

  /** Waits for the message that says the session is attached. */
  async started(): Promise<Start> {
    const first = await this.next();
    if (first?.event?.$case !== "start") throw new Error("no Start");
    return first.event.value;
  }

  /** Takes messages up to the first one with this event. */
  async until(event: EventCase, withinMs?: number): Promise<StreamSamplesResponse> {
    for (;;) {
      const message = await this.next(withinMs);
      if (message === null) throw new Error(`the stream ended before ${event}`);
      if (message.event?.$case === event) return message;
    }
  }

  /** Takes messages until `enough` samples of those that `wanted` accepts have come; gives these. */
  async take(enough: number, wanted: (sample: Sample) => boolean = () => true, withinMs?: number): Promise<Sample[]> {
    while (this.samples.filter(wanted).length < enough) {
      if ((await this.next(withinMs)) === null) throw new Error("the stream ended before enough samples came");
    }
    return this.samples.filter(wanted);
  }

  /** Takes everything up to End, and waits for the call to be over. */
  async ended(withinMs?: number): Promise<End> {
    const { event } = await this.until("end", withinMs);
    if (event?.$case !== "end") throw new Error("no End");
    await this.next(withinMs);
    return event.value;
  }

  /** The status the call ends with, when it is not OK. */
  async failure(withinMs = 20_000): Promise<ServiceError> {
    try {
      while ((await this.#take(withinMs)) !== null);
    } catch (error) {
      if (error instanceof Error && "code" in error && "metadata" in error) return error as ServiceError;
      throw error;
    }
    throw new Error("the call ended with OK");
  }

  /** Takes nothing any more, so that the service has to wait. */
  pause(): void {
    this.#call.pause();
  }

  /** Takes messages again. */
  resume(): void {
    this.#call.resume();
  }

  /** Stops reading, as a client does that goes away. */
  cancel(): void {
    this.#call.cancel();
  }

  async #take(withinMs: number): Promise<StreamSamplesResponse | null> {
    const deadline = setTimeout(() => {
      this.#failure ??= new Error(`no message in ${String(withinMs)} ms`);
      this.#wake();
    }, withinMs);
    try {
      for (;;) {
        const message = this.#unread.shift();
        if (message !== undefined) return message;
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#closed) return null;
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  #breach(message: StreamSamplesResponse): Error | undefined {
    const { event, firstIndex, nextIndex, filtered } = message;
    if (event === undefined) return new Error("a message without an event");
    if (this.#sawEnd) return new Error(`${event.$case} after End`);
    if ((event.$case === "start") !== (this.messages.length === 0)) return new Error("Start is not the first message");
    if (this.#nextIndex !== undefined && firstIndex !== this.#nextIndex) {
      return new Error(`index ${firstIndex} after ${this.#nextIndex}`);
    }
    const accounted = BigInt(sampleCount(message)) + filtered + lostByReader(message);
    if (nextIndex - firstIndex !== accounted) {
      return new Error(`${event.$case} of [${firstIndex}, ${nextIndex}) accounts for ${accounted}`);
    }
    this.#nextIndex = nextIndex;
    this.#sawEnd = event.$case === "end";
    return undefined;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Samples that a message holds, in either encoding. */
export function sampleCount({ event }: StreamSamplesResponse): number {
  if (event?.$case === "rows") return event.value.samples.length;
  return event?.$case === "columns" ? event.value.latencyNs.length : 0;
}

/** Samples that a message says this reader lost: those of the kernel never had an index. */
export function lostByReader({ event }: StreamSamplesResponse): bigint {
  return event?.$case === "loss" && event.value.stage >= LossStage.HISTORY_EVICTED ? event.value.count : 0n;
}

function samplesOf({ event }: StreamSamplesResponse): Sample[] {
  return event?.$case === "rows" ? event.value.samples : [];
}
