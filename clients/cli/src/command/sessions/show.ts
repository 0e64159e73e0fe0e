import { Session, SessionSpec } from "@latscope/proto";
import { bytes } from "../../format/bytes.js";
import { lossPart, refusalPart } from "../../format/loss.js";
import { messageJson } from "../../format/message.js";
import { longName } from "../../format/metric.js";
import { table } from "../../format/table.js";
import { printable } from "../../format/text.js";
import { dateAndTime } from "../../format/time.js";
import { specParts } from "../../format/watching.js";
import type { Program } from "../action.js";
import { stateWord } from "./list.js";

/** Prints one session: what is to be known of it for a person, or the whole as one JSON object. */
export async function showSession(session: Session, { outputs }: Program, json: boolean): Promise<void> {
  if (json) {
    const print = await messageJson("latscope.v1.Session");
    await outputs.out.writeLines([print(Session.encode(session).finish())]);
  } else {
    await outputs.out.writeLines(sessionLines(session));
  }
}

/** A line for each thing to know, then the programs that measure. */
export function sessionLines(session: Session): string[] {
  const { name, displayName, labels, owner, state, stateReason, stats } = session;
  const totals = stats?.totals;
  const rows: [name: string, value: string][] = [
    ["name", printable(name)],
    ["title", printable(displayName)],
    [
      "labels",
      printable(
        Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(", "),
      ),
    ],
    ["owner", printable(owner)],
    ["state", stateReason === "" ? stateWord(state) : `${stateWord(state)}: ${printable(stateReason)}`],
    ["measures", specParts(session.effectiveSpec ?? session.spec ?? SessionSpec.fromPartial({})).join(", ")],
    ["created", dateAndTime(session.createTime)],
    ["ended", session.endTime === undefined ? "" : dateAndTime(session.endTime)],
    ["measured", (totals?.measured ?? 0n).toString()],
    ["delivered", (totals?.delivered ?? 0n).toString()],
    [
      "lost",
      (totals?.losses ?? [])
        .filter(({ count }) => count > 0n)
        .map(lossPart)
        .join(", "),
    ],
    [
      "refused",
      (totals?.refusals ?? [])
        .filter(({ count }) => count > 0n)
        .map(refusalPart)
        .join(", "),
    ],
    ["readers", (stats?.subscribers ?? 0).toString()],
    ["kernel mem", bytes(stats?.kernelMemoryBytes ?? 0n)],
  ];
  const known = rows.filter(([, value]) => value !== "");
  return [...table(known, ["left", "left"]), ...unattached(session), ...programs(session)];
}

function unattached({ probeStatuses }: Session): string[] {
  return probeStatuses
    .filter(({ attached }) => !attached)
    .map(({ probe, capability }) => {
      const metric = capability === undefined ? "" : ` (${longName(capability.metric)})`;
      return printable(`probe ${probe}${metric} is not attached: ${capability?.reason ?? "unknown reason"}`);
    });
}

function programs({ stats }: Session): string[] {
  const header = ["PROGRAM", "TYPE", "ATTACHED TO", "RUNS", "ns/RUN", "INSNS"];
  const rows = (stats?.programs ?? []).map(({ name, type, attachedTo, runCount, runTimeNs, verifiedInstructions }) => [
    printable(name),
    printable(type),
    printable(attachedTo),
    runCount?.toString() ?? "-",
    runCount === undefined || runCount === 0n || runTimeNs === undefined ? "-" : (runTimeNs / runCount).toString(),
    verifiedInstructions.toString(),
  ]);
  return rows.length === 0
    ? []
    : ["", ...table([header, ...rows], ["left", "left", "left", "right", "right", "right"])];
}
