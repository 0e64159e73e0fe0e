import { status } from "@grpc/grpc-js";
import { fromJson, toBinary, type DescMethod, type JsonValue } from "@bufbuild/protobuf";
import { ListSessionsRequest, type ListSessionsResponse } from "@latscope/proto";
import { describe, expect, test } from "vitest";

import { bases } from "../contract/bases.js";
import { methods } from "../contract/walk.js";
import { unary } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { randomFrom } from "../harness/random.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { stage } from "../harness/stage.js";
import { openFiles, ownMemory } from "../harness/usage.js";
import { grpcMessage } from "./bytes.js";
import { BadMessages, mutated, sendBadConnection } from "./fuzz.js";
import { answering, Witness } from "./witness.js";

/** LATSCOPE_INPUTS and LATSCOPE_SEED choose others; see scripts/long.sh. */
const INPUTS = Number(process.env["LATSCOPE_INPUTS"] ?? 3000);
const SEED = Number(process.env["LATSCOPE_SEED"] ?? 7);
const TIMEOUT_MS = 60_000 + INPUTS * 20;
const AT_ONCE = 32;
const MEGABYTE = 1 << 20;

/** Of an interface that is not there: what remains valid of it attaches nothing. */
const SPEC = { probes: [{ tcp: {} }], interfaces: ["nowhere0"], filters: [{ cidrs: ["10.0.0.0/8"] }] };

/** The answers that a message may get, whatever its bytes; none of them is a fault of the service. */
const ANSWERS = new Set<number | undefined>([
  undefined,
  status.OK,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.FAILED_PRECONDITION,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNIMPLEMENTED,
  status.RESOURCE_EXHAUSTED,
  status.DEADLINE_EXCEEDED,
]);

function rightRequest(method: DescMethod): Buffer {
  const request = bases[method.name]?.(SPEC) ?? {};
  return Buffer.from(toBinary(method.input, fromJson(method.input, request as JsonValue)));
}

/** Does so many things, some at once. */
async function each(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

describe(`${String(INPUTS)} inputs of seed ${String(SEED)}`, () => {
  const scope = scopeOfEachTest();

  test(
    "that are no HTTP/2 and no messages: all are answered or cut off, and nothing of them stays",
    { timeout: TIMEOUT_MS },
    async () => {
      const cast = await answering(await stage(scope));
      const { service } = cast;
      const { pid } = service.process;
      const witness = await Witness.start(cast);
      const random = randomFrom(SEED);
      const all = await methods();
      const anyMethod = (): DescMethod => {
        const method = all[Math.floor(random() * all.length)];
        if (method === undefined) throw new Error("no methods");
        return method;
      };
      const messages = new BadMessages(service.socket);
      const seen = new Map<number | undefined, number>();
      const round = (count: number): Promise<void> =>
        each(count, async (n) => {
          if (n % 3 === 0) {
            await sendBadConnection(service.socket, rightRequest(anyMethod()), random);
            return;
          }
          const method = anyMethod();
          const request = rightRequest(method);
          // The bytes of the message alone, or those of its prefix as well.
          const body = n % 3 === 1 ? grpcMessage(mutated(request, random)) : mutated(grpcMessage(request), random);
          const answer = await messages.send(method, body);
          seen.set(answer, (seen.get(answer) ?? 0) + 1);
        });

      // V8's heap at its usual size, and what is loaded on first use.
      await round(Math.min(INPUTS / 4, 5000));
      const [files, memory] = [await openFiles(pid), await ownMemory(pid)];
      await round(INPUTS);
      expect([...seen.keys()].filter((answer) => !ANSWERS.has(answer))).toEqual([]);
      expect(seen.get(status.INVALID_ARGUMENT)).toBeGreaterThan(INPUTS / 10);
      messages.close();

      const request = ListSessionsRequest.fromPartial({});
      const { sessions } = await unary<ListSessionsResponse>((answer) =>
        service.client.sessions.listSessions(request, answer),
      );
      for (const { name } of sessions.filter((session) => session.name !== witness.session)) {
        await unary((answer) => service.client.sessions.deleteSession({ name, etag: "", force: true }, answer));
      }
      // HTTP/2 that is told off with GOAWAY is read no more, by Node: that its client is gone shows in the keepalive, 20 s at most.
      await eventually("every file is closed", async () => (await openFiles(pid)) <= files, 30_000);
      expect((await ownMemory(pid)) - memory).toBeLessThan(48 * MEGABYTE);
      expect(sessions.map(({ name }) => name)).toContain(witness.session);
      await witness.sees();
      await witness.settle();
      expect(service.process.stderr).not.toMatch(/"level":(50|60)|ERROR|FATAL/);
    },
  );
});
