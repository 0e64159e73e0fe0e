import type { ServerWritableStream } from "@grpc/grpc-js";
import { Latch } from "./latch.js";

// One message on its way through HTTP/2 and one behind it keep the line busy; everything else waits where it is bounded in bytes.
const maxInFlight = 2;

/** The messages of one streaming answer, with backpressure and cancellation. */
export class Outgoing<Message> {
  readonly #call: ServerWritableStream<unknown, Message>;
  readonly #gone = new AbortController();
  readonly #room = new Latch();
  #inFlight = 0;

  constructor(call: ServerWritableStream<unknown, Message>) {
    this.#call = call;
    const leave = (): void => {
      this.#gone.abort();
      this.#room.open();
    };
    call.once("cancelled", leave);
    call.once("close", leave);
    if (call.cancelled) leave();
  }

  /** Aborted when the client has cancelled or vanished, when its deadline has passed, and after the end. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Sends a message and waits until there is room for another. @returns false when the client is gone */
  async write(message: Message): Promise<boolean> {
    if (this.#left()) return false;
    this.#inFlight += 1;
    this.#call.write(message, () => {
      this.#inFlight -= 1;
      this.#room.open();
    });
    while (this.#inFlight >= maxInFlight && !this.#left()) await this.#room.wait();
    return !this.#left();
  }

  #left(): boolean {
    return this.#gone.signal.aborted;
  }
}
