import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import {
  SessionState,
  type End,
  type Loss,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from "@latscope/proto";
import type { Connection } from "../connection/connect.js";
import { isServiceError } from "../connection/problem.js";
import { fromColumns } from "./columns.js";
import { nodeLine, sessionLine } from "./news.js";
import { fromRows } from "./rows.js";
import type { View } from "./view.js";

// So long may the service take, from the first Ctrl-C on, to tell how it ended.
const graceMs = 1000;

/** How a stream ended. */
export interface Outcome {
  /** "sessions/{id}"; empty when nothing came. */
  session: string;
  /** What the service said last, if it came to that. */
  end: End | undefined;
  /** What this reader was told of that it missed. */
  losses: readonly Loss[];
  /** Why the call broke off, unless that was our doing. */
  error: ServiceError | undefined;
}

/** Shows a stream until it ends, `interrupted` is aborted, or `readerGone` is. */
export async function follow(
  connection: Connection,
  request: StreamSamplesRequest,
  view: View,
  { interrupted, readerGone }: { interrupted: AbortSignal; readerGone: AbortSignal },
): Promise<Outcome> {
  const inline = request.source?.$case === "spec";
  const losses: Loss[] = [];
  let session = "";
  let end: End | undefined;
  let error: ServiceError | undefined;

  const call = connection.samples.streamSamples(request);
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
    for await (const message of call as AsyncIterable<StreamSamplesResponse>) {
      if (session === "") session = message.session;
      if (message.event?.$case === "end") {
        end = message.event.value;
        break;
      }
      if (message.event?.$case === "loss") losses.push(message.event.value);
      await show(message, view, inline, givenUp.signal);
    }
  } catch (thrown) {
    if (!isServiceError(thrown)) throw thrown;
    if (!givenUp.signal.aborted || thrown.code !== status.CANCELLED) error = thrown;
  } finally {
    readerGone.removeEventListener("abort", giveUp);
    interrupted.removeEventListener("abort", endGently);
    call.cancel();
  }
  return { session, end, losses, error };
}

function stopSession({ sessions }: Connection, name: string, giveUp: () => void): void {
  setTimeout(giveUp, graceMs).unref();
  sessions.stopSession({ name, etag: "" }, new Metadata(), { deadline: Date.now() + graceMs }, (error) => {
    if (error !== null) giveUp();
  });
}

function show(
  { event, session }: StreamSamplesResponse,
  view: View,
  inline: boolean,
  giveUp: AbortSignal,
): Promise<void> {
  switch (event?.$case) {
    case "start":
      return view.start(event.value, session, inline);
    case "rows":
      return view.samples(fromRows(event.value), giveUp);
    case "columns":
      return view.samples(fromColumns(event.value), giveUp);
    case "loss":
      return view.loss(event.value);
    case "sessionChange":
      // That it stopped is what the end says, too, and says why.
      return event.value.state === SessionState.STOPPED ? Promise.resolve() : view.say(sessionLine(event.value));
    case "nodeStatus":
      return view.say(nodeLine(event.value));
    case "heartbeat":
    case "end":
    case undefined:
      return Promise.resolve();
  }
}
