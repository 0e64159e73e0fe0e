import {
  SessionView,
  type CreateSessionResponse,
  type DeleteSessionResponse,
  type GetSessionResponse,
  type Session,
  type StopSessionResponse,
} from "@latscope/proto";
import { CreateSessionRequest, DeleteSessionRequest } from "@latscope/proto";
import type { Command } from "commander";
import { addAddressFlag } from "../connection/address.js";
import { call } from "../connection/connect.js";
import { addLatencyFlag, type LatencyFlag } from "../spec/filter.js";
import { addLimitFlags, addSpecFlags, specFrom, type LimitFlags, type SpecFlags } from "../spec/spec.js";
import { sessionName } from "../stream/request.js";
import { withConnection, type Program } from "./action.js";
import { listSessions } from "./sessions/list.js";
import { showSession } from "./sessions/show.js";

interface JsonFlag {
  json?: boolean;
}

/** `latscope sessions`: lists them; its own commands make, show and end one. */
export function addSessions(parent: Command, program: Program): void {
  const sessions = parent.command("sessions").description("list sessions, make, show, stop or delete one");
  addAddressFlag(sessions.option("--json", "one JSON object a line, integers exact"));
  sessions.action(({ json }: JsonFlag) =>
    withConnection(sessions, program, (connection) => listSessions(connection, program, json === true)),
  );
  addGet(sessions, program);
  addCreate(sessions, program);
  addStop(sessions, program);
  addDelete(sessions, program);
}

function addGet(sessions: Command, program: Program): void {
  const get = sessions.command("get").argument("<name>").description("show a session");
  get.option("--json", "as one JSON object, integers exact");
  addAddressFlag(get.option("--full", "as one JSON object, with the instructions of its programs; for admins"));
  get.action((name: string, { json, full }: JsonFlag & { full?: boolean }) =>
    withConnection(get, program, async ({ sessions: client }) => {
      const request = { name: sessionName(name), view: full === true ? SessionView.FULL : SessionView.BASIC };
      const { session } = await call<GetSessionResponse>((done) => client.getSession(request, done));
      return print(session, program, json === true || full === true);
    }),
  );
}

function addCreate(sessions: Command, program: Program): void {
  const create = sessions.command("create").description("make a session that outlives this command");
  create.option("--id <id>", "its name, [a-z][a-z0-9-]{0,62}; default: chosen by the service");
  addSpecFlags(create);
  addLatencyFlag(create);
  addLimitFlags(create);
  addAddressFlag(create.option("--json", "print it as one JSON object, integers exact"));
  create.action(async (flags: SpecFlags & LatencyFlag & LimitFlags & JsonFlag & { id?: string }) => {
    const request = CreateSessionRequest.fromPartial({ session: { spec: specFrom(flags) }, sessionId: flags.id ?? "" });
    await withConnection(create, program, async ({ sessions: client }) => {
      const { session } = await call<CreateSessionResponse>((done) => client.createSession(request, done));
      return print(session, program, flags.json);
    });
  });
}

function addStop(sessions: Command, program: Program): void {
  const stop = sessions
    .command("stop")
    .argument("<name>")
    .description("end a session; what it collected stays readable for a while");
  addAddressFlag(stop.option("--json", "print it as one JSON object, integers exact"));
  stop.action((name: string, { json }: JsonFlag) =>
    withConnection(stop, program, async ({ sessions: client }) => {
      const request = { name: sessionName(name), etag: "" };
      const { session } = await call<StopSessionResponse>((done) => client.stopSession(request, done));
      return print(session, program, json);
    }),
  );
}

function addDelete(sessions: Command, program: Program): void {
  const remove = sessions.command("delete").argument("<name>").description("remove a session and what it collected");
  addAddressFlag(remove.option("--force", "also while it runs"));
  remove.action((name: string, { force = false }: { force?: boolean }) =>
    withConnection(remove, program, async ({ sessions: client }) => {
      const request = DeleteSessionRequest.fromPartial({ name: sessionName(name), force });
      await call<DeleteSessionResponse>((done) => client.deleteSession(request, done));
      return 0;
    }),
  );
}

async function print(session: Session | undefined, program: Program, json: boolean | undefined): Promise<number> {
  if (session !== undefined) await showSession(session, program, json === true);
  return 0;
}
