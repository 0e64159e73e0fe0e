import { GetSnapshotRequest, GetSnapshotResponse } from "@latscope/proto";
import { Option, type Command } from "commander";
import { addAddressFlag } from "../connection/address.js";
import { call, type Connection } from "../connection/connect.js";
import { messageJson } from "../format/message.js";
import { snapshotLines } from "../histogram/snapshot.js";
import { flag } from "../spec/flag.js";
import { addGroupFlags, type GroupFlags } from "../spec/group.js";
import { duration, each, quantile, small, type Duration } from "../spec/parse.js";
import { nodeLine } from "../stream/news.js";
import { sessionName } from "../stream/request.js";
import { complain, withConnection, type Program } from "./action.js";

interface SnapshotFlags extends GroupFlags {
  quantiles?: number[];
  top?: number;
  orderBy?: keyof typeof orders;
  window?: Duration;
  json?: boolean;
}

const orders = { count: "count", max: "max_seconds", p99: "p99" } as const;

/** `latscope snapshot`: what a session has counted so far, in one answer. */
export function addSnapshot(parent: Command, program: Program): void {
  const command = parent
    .command("snapshot")
    .argument("<session>")
    .description("quantiles of a session's largest groups, once")
    .addHelpText("after", "\nFor example: latscope snapshot edge --window 5m --order-by p99 --top 5")
    .addOption(flag("--quantiles <q>", "parts from 0 to 1, with commas; default: 0.5,0.9,0.99,0.999", each(quantile)))
    .addOption(flag("--top <count>", "so many groups; default: 20", small(1, 65_536)))
    .addOption(
      new Option("--order-by <what>", "which groups are the first; default: count").choices(Object.keys(orders)),
    )
    .addOption(flag("--window <time>", "only the last so long, such as 5m, at most an hour; default: all", duration));
  addGroupFlags(command);
  addAddressFlag(command.option("--json", "as one JSON object, whole, integers exact"));
  command.action(async (session: string, flags: SnapshotFlags) => {
    const request = GetSnapshotRequest.fromPartial({
      session: sessionName(session),
      quantiles: flags.quantiles ?? [],
      top: flags.top ?? 0,
      window: flags.window,
      orderBy: orders[flags.orderBy ?? "count"],
      groupBy: flags.groupBy ?? [],
      ungrouped: flags.ungrouped ?? false,
    });
    await withConnection(command, program, (connection) => show(connection, request, program, flags.json === true));
  });
}

async function show(
  { samples }: Connection,
  request: GetSnapshotRequest,
  { outputs }: Program,
  json: boolean,
): Promise<number> {
  const snapshot = await call<GetSnapshotResponse>((done) => samples.getSnapshot(request, done));
  if (json) {
    const print = await messageJson("latscope.v1.GetSnapshotResponse");
    await outputs.out.writeLines([print(GetSnapshotResponse.encode(snapshot).finish())]);
  } else {
    await outputs.out.writeLines(snapshotLines(snapshot));
  }
  if (snapshot.failures.length > 0) await complain(outputs, snapshot.failures.map(nodeLine));
  return snapshot.failures.length > 0 ? 1 : 0;
}
