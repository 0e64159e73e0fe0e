import type { ClientReadableStream } from "@grpc/grpc-js";

/** The messages of one call, which is over when the loop over them is left. */
export async function* messages<Message>(
  call: ClientReadableStream<Message>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Message, void, undefined> {
  const cancel = (): void => {
    call.cancel();
  };
  // The loop hears of errors; one that comes after it was left is none.
  call.on("error", () => undefined);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    yield* call as AsyncIterable<Message>;
  } finally {
    signal?.removeEventListener("abort", cancel);
    cancel();
  }
}
