import { Metadata } from "@grpc/grpc-js";
import {
  SessionView,
  type End,
  type GetSessionResponse,
  type StreamHistogramsResponse,
  type StreamSamplesResponse,
  type Totals,
} from "@latscope/proto";
import { complain, type Program } from "../command/action.js";
import { call, type Connection } from "../connection/connect.js";
import { problemLines } from "../connection/problem.js";
import { Interrupt } from "../terminal/interrupt.js";
import { isReaderGone } from "../terminal/output.js";
import { follow, type Followed } from "./follow.js";
import { endLine, isFailure } from "./news.js";

/** A stream that a command shows to its end. */
export interface Run<Message extends StreamSamplesResponse | StreamHistogramsResponse> extends Followed<Message> {
  /** A line beside what is shown. */
  say: (line: string) => Promise<void>;
  /** The last word: the service's own totals where the stream's end brought them, else what the session tells when asked. */
  sum: (end: End | undefined, sessionTotals: Totals | undefined) => Promise<void>;
}

/** Shows a stream to its end, or to Ctrl-C, and sums it up. @returns the exit code */
export async function run<Message extends StreamSamplesResponse | StreamHistogramsResponse>(
  connection: Connection,
  { outputs }: Program,
  stream: Run<Message>,
): Promise<number> {
  const interrupt = new Interrupt();
  const readerGone = outputs.out.gone;
  try {
    const { session, end, error } = await follow(connection, stream, { interrupted: interrupt.signal, readerGone });
    const interrupted = interrupt.signal.aborted;
    if (readerGone.aborted) return await readerLeft(readerGone.reason, outputs);
    // The last message always says why; a stream that just stops broke the contract.
    const broken = end === undefined && error === undefined && !interrupted;
    const why = broken ? "the stream stopped without saying why" : end && endLine(end.reason);
    if (why !== undefined && !interrupted) await stream.say(why);
    if (session !== "") {
      const asked = end === undefined && interrupted ? await askTotals(connection, session) : undefined;
      await stream.sum(end, asked);
    }
    if (error !== undefined) await complain(outputs, problemLines(error, connection.address, session !== ""));
    return broken || error !== undefined || (end !== undefined && isFailure(end.reason)) ? 1 : 0;
  } finally {
    interrupt.dispose();
  }
}

async function readerLeft(error: unknown, outputs: Program["outputs"]): Promise<number> {
  if (isReaderGone(error)) return 0;
  await complain(outputs, [`cannot write: ${error instanceof Error ? error.message : String(error)}`]);
  return 1;
}

async function askTotals({ sessions }: Connection, name: string): Promise<Totals | undefined> {
  try {
    const options = { deadline: Date.now() + 1000 };
    const request = { name, view: SessionView.BASIC };
    const { session } = await call<GetSessionResponse>((done) =>
      sessions.getSession(request, new Metadata(), options, done),
    );
    return session?.stats?.totals;
  } catch {
    // Not to be had is an answer too: the summary says so.
    return undefined;
  }
}
