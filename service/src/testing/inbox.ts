import type { ClientReadableStream, StatusObject } from "@grpc/grpc-js";

/** The messages of a stream one by one, and the status it ended with. */
export class Inbox<Message> {
  readonly ended: Promise<StatusObject>;
  readonly #messages: AsyncIterator<Message>;

  constructor(readonly stream: ClientReadableStream<Message>) {
    // A status that is no OK comes as an error as well, which whoever does not wait for it need not handle.
    stream.on("error", () => undefined);
    this.ended = new Promise((resolve) => stream.once("status", resolve));
    this.#messages = stream[Symbol.asyncIterator]() as AsyncIterator<Message>;
  }

  /** @throws when the stream has ended */
  async next(): Promise<Message> {
    const result = await this.#messages.next();
    if (result.done === true) throw new Error("the stream has ended");
    return result.value;
  }
}
