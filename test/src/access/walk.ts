import { Client, credentials, Metadata, status, type CallOptions, type ServiceError } from "@grpc/grpc-js";
import { DeleteSessionRequest, SessionServiceService, type CreateSessionResponse } from "@latscope/proto";
import { readFileSync } from "node:fs";

import { seen } from "../harness/failure.js";
import { calls, type Call } from "./calls.js";
import { kinds, names, type Cast, type Kind, type Name, type Proof } from "./cast.js";

/** Who calls, and whose session it is about. */
export interface Column {
  readonly title: string;
  readonly caller: Name;
  readonly owner: Name;
}

export const columns: readonly Column[] = [
  { title: "stranger", caller: "stranger", owner: "owner" },
  { title: "no rule", caller: "unknown", owner: "owner" },
  { title: "viewer, another's", caller: "viewer", owner: "owner" },
  { title: "operator, own", caller: "operator", owner: "operator" },
  { title: "operator, another's", caller: "operator", owner: "owner" },
  { title: "operator, not in its targets", caller: "narrow", owner: "owner" },
  { title: "admin, another's", caller: "admin", owner: "owner" },
];

/** What came of a call by each column: `yes`, or the reason why not. */
export type Row = readonly string[];

const deadlineMs = 20_000;

/** Makes every call as everybody, by certificate or by token. @returns a row for each of `calls` */
export async function walk(address: string, { proofs }: Pick<Cast, "proofs">, kind: Kind): Promise<Row[]> {
  const people = Object.fromEntries(names.map((name) => [name, new Person(address, proofs[kind][name])]));
  const person = (name: Name): Person => people[name] ?? missing(name);
  const rows: Row[] = [];
  let made = 0;
  try {
    for (const call of calls) {
      const row: string[] = [];
      for (const { caller, owner } of columns) {
        const id = `walk-${kinds.indexOf(kind)}-${(made += 1)}`;
        if (call.ofSession) await person(owner).create(id);
        row.push(await person(caller).outcome(call, call.ofSession ? `sessions/${id}` : id));
        await person("admin").remove(`sessions/${id}`);
      }
      rows.push(row);
    }
    return rows;
  } finally {
    for (const { client } of Object.values(people)) client.close();
  }
}

/** Somebody with a connection of their own. */
class Person {
  readonly client: Client;
  readonly #metadata = new Metadata();

  constructor(address: string, { ca, cert, key, token }: Proof) {
    const own = key === undefined || cert === undefined ? [] : [readFileSync(key), readFileSync(cert)];
    const secure = credentials.createSsl(readFileSync(ca), ...own);
    this.client = new Client(address, secure, { "grpc.use_local_subchannel_pool": 1 });
    if (token !== undefined) this.#metadata.set("authorization", `Bearer ${token}`);
  }

  async create(id: string): Promise<void> {
    const create = calls.find(({ name }) => name === "CreateSession") ?? missing("CreateSession");
    const answer = (await this.#first(create, id)) as CreateSessionResponse;
    if (answer.session?.name !== `sessions/${id}`) throw new Error(`no session ${id} was made`);
  }

  /** It may be gone, or never have been there. */
  async remove(name: string): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = SessionServiceService.deleteSession;
    const request = DeleteSessionRequest.fromPartial({ name, force: true });
    await new Promise<void>((resolve, reject) => {
      const done = (error: ServiceError | null): void => {
        if (error === null || error.code === status.NOT_FOUND) resolve();
        else reject(error);
      };
      this.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, this.#metadata, done);
    });
  }

  /** `yes` once there is an answer, else the reason why not. */
  async outcome(call: Call, session: string): Promise<string> {
    try {
      await this.#first(call, session);
      return "yes";
    } catch (error) {
      const { code, reason } = seen(error as ServiceError);
      if (code === "UNAUTHENTICATED") return code;
      return reason === "" ? code : reason;
    }
  }

  #followed({ path, requestSerialize, responseDeserialize }: Call["method"], message: unknown, options: CallOptions) {
    return this.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      this.#metadata,
      options,
    );
  }

  #asked({ path, requestSerialize, responseDeserialize }: Call["method"], message: unknown, options: CallOptions) {
    const stream = this.client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.#metadata,
      options,
    );
    stream.write(message);
    return stream;
  }

  /** The answer, or the first message of a stream, which is then given up. */
  #first({ method, request }: Call, session: string): Promise<unknown> {
    const { path, requestSerialize, responseDeserialize, requestStream, responseStream } = method;
    const options = { deadline: Date.now() + deadlineMs };
    const message: unknown = request(session);
    return new Promise((resolve, reject) => {
      if (!responseStream) {
        const done = (error: ServiceError | null, answer: unknown): void => {
          if (error === null) resolve(answer);
          else reject(error);
        };
        this.client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          message,
          this.#metadata,
          options,
          done,
        );
        return;
      }
      const stream = requestStream ? this.#asked(method, message, options) : this.#followed(method, message, options);
      stream.on("error", reject);
      stream.once("data", (first: unknown) => {
        resolve(first);
        stream.cancel();
      });
    });
  }
}

function missing(what: string): never {
  throw new Error(`there is no ${what}`);
}
