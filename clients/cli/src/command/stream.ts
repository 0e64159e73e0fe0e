import type { End, LossStage, StreamSamplesRequest, Totals } from "@latscope/proto";
import { Option, type Command } from "commander";
import { addAddressFlag } from "../connection/address.js";
import type { Connection } from "../connection/connect.js";
import { addLatencyFlag } from "../spec/filter.js";
import { flag } from "../spec/flag.js";
import { wholeNumber } from "../spec/parse.js";
import { addSpecFlags } from "../spec/spec.js";
import { requestFrom, type StreamFlags } from "../stream/request.js";
import { run } from "../stream/run.js";
import { showSamples } from "../stream/show.js";
import { View } from "../stream/view.js";
import { booksOf, type Books } from "../summary/books.js";
import { withConnection, type Program } from "./action.js";

/** `latscope stream`: shows samples as they come; Ctrl-C ends it with a summary. */
export function addStream(parent: Command, program: Program): void {
  const command = parent
    .command("stream")
    .description("show latencies as they are measured; Ctrl-C ends with a summary")
    .addHelpText("after", "\nFor example: latscope stream --tcp --port 443 --min-latency 50ms");
  command.option("--session <name>", "follow a session that is there, instead of one for this command");
  addSpecFlags(command);
  addLatencyFlag(command);
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

function stream(
  connection: Connection,
  request: StreamSamplesRequest,
  program: Program,
  json: boolean,
): Promise<number> {
  const view = new View(program.outputs, json);
  const inline = request.source?.$case === "spec";
  return run(connection, program, {
    call: connection.samples.streamSamples(request),
    inline,
    show: (message, giveUp) => showSamples(message, view, inline, giveUp),
    say: (line) => view.say(line),
    sum: (end, sessionTotals) => view.summary(booksFrom(view, end, sessionTotals)),
  });
}

/** The service's own totals where the stream's end brought them; else what we saw, and what the session tells when asked. */
function booksFrom(view: View, end: End | undefined, sessionTotals: Totals | undefined): Books {
  return booksOf(end ?? { totals: seen(view), sessionTotals });
}

function seen({ losses, shown }: View): Totals {
  const byStage = new Map<LossStage, bigint>();
  for (const { stage, count } of losses) byStage.set(stage, (byStage.get(stage) ?? 0n) + count);
  return {
    measured: 0n,
    delivered: shown,
    filtered: 0n,
    aggregatedOnly: 0n,
    losses: [...byStage].map(([stage, count]) => ({ stage, count, firstTime: undefined, lastTime: undefined })),
    refusals: [],
    inFlight: 0n,
  };
}
