import {
  ListSessionsRequest,
  Session,
  SessionState,
  sessionStateToJSON,
  type ListSessionsResponse,
  type SessionStats,
} from "@latscope/proto";
import { call, type Connection } from "../../connection/connect.js";
import { bytes } from "../../format/bytes.js";
import { enumNames } from "../../format/enum.js";
import { messageJson } from "../../format/message.js";
import { table } from "../../format/table.js";
import { printable } from "../../format/text.js";
import { lost } from "../../summary/books.js";
import type { Program } from "../action.js";

const stateName = enumNames(SessionState, sessionStateToJSON, "SESSION_STATE_");

/** Prints every session: a table, or one JSON object a line. */
export async function listSessions(connection: Connection, { outputs }: Program, json: boolean): Promise<number> {
  const sessions = await allSessions(connection);
  if (json) {
    const print = await messageJson("latscope.v1.Session");
    await outputs.out.writeLines(sessions.map((session) => print(Session.encode(session).finish())));
  } else {
    await outputs.out.writeLines(sessionTable(sessions));
  }
  return 0;
}

/** A row for each session. */
export function sessionTable(sessions: readonly Session[]): string[] {
  const header = ["NAME", "STATE", "OWNER", "MEASURED", "DELIVERED", "LOST", "READERS", "ns/RUN", "KERNEL MEM"];
  const rows = sessions.map(({ name, state, owner, stats }) => [
    printable(name.replace(/^sessions\//, "")),
    stateWord(state),
    printable(owner),
    (stats?.totals?.measured ?? 0n).toString(),
    (stats?.totals?.delivered ?? 0n).toString(),
    lost(stats?.totals?.losses ?? []).toString(),
    (stats?.subscribers ?? 0).toString(),
    costPerRun(stats),
    bytes(stats?.kernelMemoryBytes ?? 0n),
  ]);
  return table([header, ...rows], ["left", "left", "left", ...header.slice(3).map(() => "right" as const)]);
}

/** `running` */
export function stateWord(state: SessionState): string {
  return stateName(state).slice("SESSION_STATE_".length).toLowerCase();
}

// Over all runs of all programs; the kernel's statistics may be off.
function costPerRun(stats: SessionStats | undefined): string {
  let runs = 0n;
  let ns = 0n;
  for (const { runCount, runTimeNs } of stats?.programs ?? []) {
    runs += runCount ?? 0n;
    ns += runTimeNs ?? 0n;
  }
  return runs === 0n ? "-" : ((ns + runs / 2n) / runs).toString();
}

async function allSessions({ sessions }: Connection): Promise<Session[]> {
  const found: Session[] = [];
  let pageToken = "";
  do {
    const request = ListSessionsRequest.fromPartial({ pageSize: 1000, pageToken });
    const page = await call<ListSessionsResponse>((done) => sessions.listSessions(request, done));
    found.push(...page.sessions);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}
