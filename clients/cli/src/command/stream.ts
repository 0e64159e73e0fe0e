import { Metadata } from "@grpc/grpc-js";
import {
  SessionView,
  type GetSessionResponse,
  type LossStage,
  type StreamSamplesRequest,
  type Totals,
} from "@latscope/proto";
import { Option, type Command } from "commander";
import { addAddressFlag } from "../connection/address.js";
import { call, type Connection } from "../connection/connect.js";
import { problemLines } from "../connection/problem.js";
import { flag } from "../spec/flag.js";
import { wholeNumber } from "../spec/parse.js";
import { addSpecFlags } from "../spec/spec.js";
import { follow, type Outcome } from "../stream/follow.js";
import { endLine, isFailure } from "../stream/news.js";
import { requestFrom, type StreamFlags } from "../stream/request.js";
import { View } from "../stream/view.js";
import { booksOf, type Books } from "../summary/books.js";
import { Interrupt } from "../terminal/interrupt.js";
import { isReaderGone } from "../terminal/output.js";
import { complain, withConnection, type Program } from "./action.js";

/** `latscope stream`: shows samples as they come; Ctrl-C ends it with a summary. */
export function addStream(parent: Command, program: Program): void {
  const command = parent
    .command("stream")
    .description("show latencies as they are measured; Ctrl-C ends with a summary")
    .addHelpText("after", "\nFor example: latscope stream --tcp --port 443 --min-latency 50ms");
  command.option("--session <name>", "follow a session that is there, instead of one for this command");
  addSpecFlags(command);
  command
    .option("--json", "one JSON object a line, integers exact")
    .addOption(flag("--limit <count>", "end after so many samples", wholeNumber(1n, 2n ** 64n - 1n)))
    .addOption(new Option("--from <position>", "where in a session's history to begin").choices(["oldest", "latest"]))
    .option("--cursor <cursor>", "resume exactly where a stream of --session stopped")
    .addOption(new Option("--encoding <encoding>", "how samples travel").choices(["rows", "columns"]));
  addAddressFlag(command);
  command.action(async (flags: StreamFlags & { json?: boolean }) => {
    const request = requestFrom(flags);
    await withConnection(command, program, (connection) => stream(connection, request, program, flags.json === true));
  });
}

async function stream(
  connection: Connection,
  request: StreamSamplesRequest,
  { outputs }: Program,
  json: boolean,
): Promise<number> {
  const view = new View(outputs, json);
  const interrupt = new Interrupt();
  const readerGone = outputs.out.gone;
  try {
    const outcome = await follow(connection, request, view, { interrupted: interrupt.signal, readerGone });
    if (readerGone.aborted) return await readerLeft(readerGone.reason, outputs);
    const { session, end, error } = outcome;
    // The last message always says why; a stream that just stops broke the contract.
    const broken = end === undefined && error === undefined && !interrupt.signal.aborted;
    const why = broken ? "the stream stopped without saying why" : end && endLine(end.reason);
    if (why !== undefined && !interrupt.signal.aborted) await view.say(why);
    if (session !== "") await view.summary(await closeBooks(connection, outcome, view.shown, interrupt.signal.aborted));
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

/** The service's own totals where the stream's end brought them; else what we saw, and what the session tells when asked. */
async function closeBooks(
  connection: Connection,
  outcome: Outcome,
  shown: bigint,
  interrupted: boolean,
): Promise<Books> {
  if (outcome.end !== undefined) return booksOf(outcome.end);
  const sessionTotals = interrupted ? await askTotals(connection, outcome.session) : undefined;
  return booksOf({ totals: seen(outcome, shown), sessionTotals });
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

function seen({ losses }: Outcome, delivered: bigint): Totals {
  const byStage = new Map<LossStage, bigint>();
  for (const { stage, count } of losses) byStage.set(stage, (byStage.get(stage) ?? 0n) + count);
  return {
    measured: 0n,
    delivered,
    filtered: 0n,
    aggregatedOnly: 0n,
    losses: [...byStage].map(([stage, count]) => ({ stage, count, firstTime: undefined, lastTime: undefined })),
    refusals: [],
    inFlight: 0n,
  };
}
