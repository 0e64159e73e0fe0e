import { expect, test } from "vitest";

import { BareConnection } from "../harness/bare.js";
import { Client, unary } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { randomFrom } from "../harness/random.js";
import { Scope, scopeOfEachTest } from "../harness/scope.js";
import type { Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { openFiles, ownMemory } from "../harness/usage.js";
import { openBytes } from "./bytes.js";
import { HANDSHAKES, answering, Witness } from "./witness.js";

/** LATSCOPE_CLIENTS and LATSCOPE_SEED choose others; see scripts/long.sh. */
const CLIENTS = Number(process.env["LATSCOPE_CLIENTS"] ?? 100);
const SEED = Number(process.env["LATSCOPE_SEED"] ?? 11);
const TIMEOUT_MS = 60_000 + CLIENTS * 200;
const AT_ONCE = 16;
const MEGABYTE = 1 << 20;

const scope = scopeOfEachTest();

/** A client comes, does one of the things that clients do, and leaves in one of the ways in which they leave. */
async function visit(service: Service, session: string, random: () => number): Promise<void> {
  const own = new Scope();
  const request = random() < 0.15 ? { spec: HANDSHAKES } : { session };
  try {
    if (random() < 0.2) {
      await openBytes(own, { path: service.socket });
      return;
    }
    if (random() < 0.4) {
      const bare = new BareConnection(service.socket);
      await bare.stream(request);
      bare.vanish();
      return;
    }
    const client = new Client(own, `unix:${service.socket}`);
    const stream = client.stream(request);
    // A connection that grpc-js is still making when it is closed, it leaves open.
    await stream.started();
    if (random() < 0.5) stream.cancel();
  } finally {
    await own.close();
  }
}

async function streams({ client }: Service): Promise<number> {
  return (await client.status()).streams;
}

async function sessions({ client }: Service): Promise<number> {
  const request = { pageSize: 0, pageToken: "", states: [], labels: {} };
  const answer = await unary<{ sessions: unknown[] }>((done) => client.sessions.listSessions(request, done));
  return answer.sessions.length;
}

test(
  `${String(CLIENTS)} clients that come and go at random (seed ${String(SEED)}) leave nothing behind`,
  { timeout: TIMEOUT_MS },
  async () => {
    const cast = await answering(await stage(scope));
    const { service } = cast;
    const { pid } = service.process;
    const witness = await Witness.start(cast);
    const random = randomFrom(SEED);
    const visits = async (count: number): Promise<void> => {
      let left = count;
      const one = async (): Promise<void> => {
        while (left-- > 0) await visit(service, witness.session, random);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, one));
      await eventually("every stream is let go", async () => (await streams(service)) === 1);
      await eventually("every session is let go", async () => (await sessions(service)) === 1);
    };
    // What is loaded and kept on first use.
    await visits(CLIENTS / 4);
    const [files, memory] = [await openFiles(pid), await ownMemory(pid)];
    const others = visits(CLIENTS);
    for (let n = 0; n < 10; n++) await witness.sees();
    await others;
    await eventually("every file is closed", async () => (await openFiles(pid)) <= files);
    expect((await ownMemory(pid)) - memory).toBeLessThan(32 * MEGABYTE);
    await witness.settle();
  },
);
