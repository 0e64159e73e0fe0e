import { readdir, readFile } from "node:fs/promises";

import { fromJson, toBinary, type DescMethod, type JsonValue } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import {
  GetSessionRequest,
  ListSessionsRequest,
  type GetSessionResponse,
  type ListSessionsResponse,
} from "@latscope/proto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { bases, HELD, maskFor, neighbours } from "../contract/bases.js";
import { withValue, type Json } from "../contract/build.js";
import { isWhole, rowOf, rows } from "../contract/rows/index.js";
import type { Wrong } from "../contract/rows/row.js";
import { methods, pathOf, places, type Place } from "../contract/walk.js";
import { bpfObjectsOf } from "../harness/bpf.js";
import { ALL_TCP, unary } from "../harness/client.js";
import { failureOf } from "../harness/failure.js";
import { Scope } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { CLIENT, direct } from "../harness/topology.js";

const SPEC = { ...ALL_TCP, interfaces: [CLIENT.interface] };
const all = await methods();
const walked = all.flatMap((method) => places(method.input, isWhole).map((place) => ({ method, place })));

describe("the table of bad values", () => {
  test("has every method", () => {
    expect(all.map(({ name }) => name).filter((name) => !(name in bases))).toEqual([]);
  });

  test("has a row for every field of every request", () => {
    const without = walked.filter(({ method, place }) => !rowOf(method.input.name, place) && !isFixed(method, place));
    expect(without.map(({ method, place }) => `${method.input.name}: ${pathOf(place)}`)).toEqual([]);
  });

  test("has no row that no request reaches", () => {
    const used = new Set(walked.map(({ method, place }) => rowOf(method.input.name, place)?.key));
    expect(Object.keys(rows).filter((key) => !used.has(key))).toEqual([]);
  });
});

describe("a bad value", () => {
  const scope = new Scope();
  let service: Service;
  let idle: Awaited<ReturnType<typeof bpfObjectsOf>>;
  let before: unknown;

  beforeAll(async () => {
    const network = await direct(scope);
    service = await Service.start(scope, network.client);
    await service.client.create(SPEC, HELD.replace("sessions/", ""));
    idle = await bpfObjectsOf(service.process.pid);
    before = await state();
  });

  afterAll(async () => {
    expect(await bpfObjectsOf(service.process.pid)).toEqual(idle);
    await scope.close();
  });

  const cases = walked.flatMap(({ method, place }) => {
    const { row = [] } = rowOf(method.input.name, place) ?? {};
    if (typeof row === "string" || isFixed(method, place)) return [];
    return row.map((wrong) => ({
      what: `${method.name} ${pathOf(place)} = ${shown(wrong.value)}`,
      method,
      place,
      wrong,
    }));
  });

  test.each(cases)("$what", async ({ method, place, wrong }) => {
    const path = pathOf(place);
    const mask = method.name === "UpdateSession" && place.field.name !== "update_mask" ? maskFor(path) : undefined;
    const base = { ...bases[method.name]?.(SPEC), ...(mask === undefined ? {} : { updateMask: mask }) };
    const failure = await failureOf(call(method, withValue(base, place, wrong.value, neighbours)));
    expect(failure).toMatchObject({
      code: wrong.code ?? "INVALID_ARGUMENT",
      reason: wrong.reason,
      domain: "latscope",
      fields: expectedFields(path, wrong),
    });
    expect(await state()).toEqual(before);
  });

  test.each(walked.filter(({ method, place }) => isFixed(method, place)))(
    "$method.name: no update reaches $place.field.name of $place.field.parent.name",
    async ({ method, place }) => {
      const updateMask = pathOf(place).replace("session.", "").replaceAll("[0]", "");
      const request = { session: { name: HELD }, updateMask: camel(updateMask) };
      expect(await failureOf(call(method, request))).toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "UPDATE_MASK_INVALID",
        fields: ["update_mask"],
      });
      expect(await state()).toEqual(before);
    },
  );

  /** What must not change: what is attached, which sessions there are, and the one that is held. */
  async function state(): Promise<unknown> {
    const { sessions } = service.client;
    const { sessions: listed } = await unary<ListSessionsResponse>((answer) =>
      sessions.listSessions(ListSessionsRequest.fromPartial({}), answer),
    );
    const { session } = await unary<GetSessionResponse>((answer) =>
      sessions.getSession(GetSessionRequest.fromPartial({ name: HELD }), answer),
    );
    const held = { ...session, stats: undefined };
    return { names: listed.map(({ name }) => name), held, links: await links(service.process.pid) };
  }

  /** Calls a method with a request in JSON; resolves with anything that it answers. */
  function call(method: DescMethod, request: Json): Promise<unknown> {
    const bytes = Buffer.from(toBinary(method.input, fromJson(method.input, request as JsonValue)));
    const path = `/${method.parent.typeName}/${method.name}`;
    const identity = (message: Buffer): Buffer => message;
    const client = service.client.nodes;
    if (method.methodKind === "unary")
      return unary<Buffer | undefined>((answer) => client.makeUnaryRequest(path, identity, identity, bytes, answer));
    return new Promise((resolve, reject) => {
      const stream = client.makeServerStreamRequest(path, identity, identity, bytes);
      stream.once("error", (error: ServiceError) => {
        reject(error);
      });
      stream.once("data", (message: Buffer) => {
        resolve(message);
        stream.cancel();
      });
    });
  }
});

/** Fields of UpdateSessionRequest.session that no update can change. */
function isFixed(method: DescMethod, place: Place): boolean {
  const path = pathOf(place);
  if (method.name !== "UpdateSession" || !path.startsWith("session.")) return false;
  return !["session.name", "session.etag"].includes(path) && maskFor(path) === undefined;
}

function expectedFields(path: string, { at = "", code, reason, value }: Wrong): string[] {
  if (code === "ABORTED") return [];
  const count = reason === "UPDATE_MASK_INVALID" ? Math.max(1, String(value).split(",").filter(isWrongPath).length) : 1;
  return Array<string>(count).fill(path + at);
}

function isWrongPath(path: string): boolean {
  return path !== "displayName";
}

function camel(path: string): string {
  return path.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

async function links(pid: number): Promise<string[]> {
  const folder = `/proc/${String(pid)}/fdinfo`;
  const found: string[] = [];
  for (const descriptor of await readdir(folder)) {
    const text = await readFile(`${folder}/${descriptor}`, "utf8").catch(() => "");
    const [, id] = /^link_id:\s*(\d+)$/m.exec(text) ?? [];
    if (id !== undefined) found.push(id);
  }
  return found.sort();
}
