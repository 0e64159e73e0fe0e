import { Totals, type End, type StreamHistogramsRequest } from "@latscope/proto";
import type { Command } from "commander";
import { addAddressFlag } from "../connection/address.js";
import type { Connection } from "../connection/connect.js";
import { messageJson } from "../format/message.js";
import { requestFrom, type HistogramFlags } from "../histogram/request.js";
import { HistogramView } from "../histogram/view.js";
import { flag } from "../spec/flag.js";
import { addGroupFlags } from "../spec/group.js";
import { duration, small } from "../spec/parse.js";
import { addSpecFlags } from "../spec/spec.js";
import { run } from "../stream/run.js";
import { booksOf } from "../summary/books.js";
import { withConnection, type Program } from "./action.js";

/** `latscope histogram`: counts latencies in the kernel and shows them by group, interval by interval. */
export function addHistogram(parent: Command, program: Program): void {
  const command = parent
    .command("histogram")
    .description("count latencies in the kernel, a table for each interval; Ctrl-C ends with a summary")
    .addHelpText(
      "after",
      "\nQuantiles are the upper bounds of their buckets, at most 9.1 % above the latency; so are least and greatest behind ~.\n" +
        "\nFor example: latscope histogram --tcp --metric rtt --group-by server-port,client-prefix --interval 10s",
    );
  command.option("--session <name>", "follow a session that is there, instead of one for this command");
  addSpecFlags(command);
  addGroupFlags(command);
  command
    .addOption(flag("--interval <time>", "length of an interval, 100ms to 1d; default: 1s", duration))
    .option("--cumulative", "all since the session began, instead of what happened in the interval")
    .addOption(flag("--max-groups <count>", "the largest; the rest is (other); default: 1000", small(1, 65_536)))
    .option("--json", "one JSON object a line for each interval, integers exact");
  addAddressFlag(command);
  command.action(async (flags: HistogramFlags & { json?: boolean }) => {
    const request = requestFrom(flags);
    await withConnection(command, program, (connection) => show(connection, request, program, flags.json === true));
  });
}

async function show(
  connection: Connection,
  request: StreamHistogramsRequest,
  program: Program,
  json: boolean,
): Promise<number> {
  const inline = request.source?.$case === "spec";
  const view = new HistogramView(program.outputs, {
    json: json ? await messageJson("latscope.v1.HistogramBatch") : undefined,
    cumulative: request.cumulative,
    inline,
  });
  const seen = (sessionTotals: Totals | undefined): Pick<End, "totals" | "sessionTotals"> => ({
    totals: Totals.fromPartial({ delivered: view.counted }),
    sessionTotals,
  });
  return run(connection, program, {
    call: connection.samples.streamHistograms(request),
    inline,
    show: (message, giveUp) => view.message(message, giveUp),
    say: (line) => view.say(line),
    sum: (end, sessionTotals) => view.summary(booksOf(end ?? seen(sessionTotals))),
  });
}
