import { Metadata, status, type ClientReadableStream, type ServiceError } from "@grpc/grpc-js";
import type { End, StreamHistogramsResponse, StreamSamplesResponse } from "@latscope/proto";
import type { Connection } from "../connection/connect.js";
import { isServiceError } from "../connection/problem.js";

// So long may the service take, from the first Ctrl-C on, to tell how it ended.
const graceMs = 1000;

/** A call that is followed, and what is done with each of its messages but the last. */
export interface Followed<Message extends StreamSamplesResponse | StreamHistogramsResponse> {
  call: ClientReadableStream<Message>;
  /** Whether the session is this command's own. */
  inline: boolean;
  /** `giveUp` is aborted when nobody waits for the rest. */
  show: (message: Message, giveUp: AbortSignal) => Promise<void>;
}

/** How a stream ended. */
export interface Outcome {
  /** "sessions/{id}"; empty when nothing came. */
  session: string;
  /** What the service said last, if it came to that. */
  end: End | undefined;
  /** Why the call broke off, unless that was our doing. */
  error: ServiceError | undefined;
}

/** Shows a stream until it ends, `interrupted` is aborted, or `readerGone` is. */
export async function follow<Message extends StreamSamplesResponse | StreamHistogramsResponse>(
  connection: Connection,
  { call, inline, show }: Followed<Message>,
  { interrupted, readerGone }: { interrupted: AbortSignal; readerGone: AbortSignal },
): Promise<Outcome> {
  let session = "";
  let end: End | undefined;
  let error: ServiceError | undefined;

  // The loop below hears of errors; one that comes after it has left is none.
  call.on("error", () => undefined);
  const givenUp = new AbortController();
  const giveUp = () => {
    givenUp.abort();
    call.cancel();
  };
  // The end of a session of our own brings its last samples and its totals; a session of others goes on.
  const endGently = () => {
    if (inline && session !== "") stopSession(connection, session, giveUp);
    else giveUp();
  };
  readerGone.addEventListener("abort", giveUp, { once: true });
  interrupted.addEventListener("abort", endGently, { once: true });
  try {
    for await (const message of call as AsyncIterable<Message>) {
      if (session === "") session = message.session;
      if (message.event?.$case === "end") {
        end = message.event.value;
        break;
      }
      await show(message, givenUp.signal);
    }
  } catch (thrown) {
    if (!isServiceError(thrown)) throw thrown;
    if (!givenUp.signal.aborted || thrown.code !== status.CANCELLED) error = thrown;
  } finally {
    readerGone.removeEventListener("abort", giveUp);
    interrupted.removeEventListener("abort", endGently);
    call.cancel();
  }
  return { session, end, error };
}

function stopSession({ sessions }: Connection, name: string, giveUp: () => void): void {
  setTimeout(giveUp, graceMs).unref();
  sessions.stopSession({ name, etag: "" }, new Metadata(), { deadline: Date.now() + graceMs }, (error) => {
    if (error !== null) giveUp();
  });
}
