import { GetSessionRequest, UpdateSessionRequest, type GetSessionResponse, type Session } from "@latscope/proto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { expectBalanced } from "../harness/books.js";
import { unary, type Client } from "../harness/client.js";
import { Follower } from "../harness/follower.js";
import { Injector } from "../harness/injector.js";
import { stop } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";

/** Sessions, and readers of each, at most. */
const SESSIONS = 2;
const READERS = 4;
/** How many interleavings, and which: LATSCOPE_RUNS and LATSCOPE_SEED choose others. A failure prints its seed and path. */
const RUNS = Number(process.env["LATSCOPE_RUNS"] ?? 6);
const SEED = Number(process.env["LATSCOPE_SEED"] ?? 5);

type Action =
  | { readonly do: "create"; readonly session: number; readonly spec: Knobs }
  | { readonly do: "update"; readonly session: number; readonly spec: Knobs }
  | { readonly do: "stop" | "delete"; readonly session: number }
  | { readonly do: "traffic"; readonly segments: number }
  | { readonly do: "read"; readonly session: number; readonly request: Record<string, unknown> }
  | { readonly do: "pause" | "resume" | "reconnect" | "cancel"; readonly session: number; readonly reader: number };

interface Knobs {
  readonly historyBytes: number;
  readonly maxSamplesPerSecond: number;
  readonly sampleMinLatency: string;
}

const session = fc.nat(SESSIONS - 1);
const reader = fc.nat(READERS - 1);
const knobs = fc.record<Knobs>({
  historyBytes: fc.constantFrom(0, 65_536, 8_388_608),
  maxSamplesPerSecond: fc.constantFrom(0, 0, 2000),
  sampleMinLatency: fc.constantFrom("0s", "0s", "0.000010s"),
});
const policies = ["DROP_OLDEST", "DROP_NEWEST", "SAMPLE", "DISCONNECT"];
const request = fc.record({
  position: fc.constantFrom("POSITION_OLDEST", "POSITION_LATEST"),
  encoding: fc.constantFrom("ENCODING_ROWS", "ENCODING_COLUMNS"),
  overflow: fc.constantFrom(...policies.map((policy) => `OVERFLOW_POLICY_${policy}`)),
  maxBatchBytes: fc.constantFrom(0, 1000, 1 << 20),
  maxBatchDelay: fc.constantFrom("0s", "0.050s"),
  filters: fc.constantFrom([], [{ clientPorts: [{ first: 20_000, last: 20_002 }] }]),
});
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("create" as const), session, spec: knobs }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("update" as const), session, spec: knobs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("stop" as const, "delete" as const), session }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("traffic" as const), segments: fc.integer({ min: 1, max: 30_000 }) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("read" as const), session, request }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "pause" as const,
        "pause" as const,
        "resume" as const,
        "reconnect" as const,
        "cancel" as const,
      ),
      session,
      reader,
    }),
  },
);

/** What there is of one session. */
interface Open {
  readonly name: string;
  readonly followers: (Follower | undefined)[];
  stopped: boolean;
}

/** What all interleavings came to: a run in which nothing happened would prove nothing. */
interface Seen {
  delivered: bigint;
  filtered: bigint;
  lost: bigint;
  resumed: number;
}

/** Carries actions out; those that the state of things does not allow do nothing. */
class Interleaving {
  readonly #client: Client;
  readonly #wire: Injector;
  readonly #seen: Seen;
  readonly #open: (Open | undefined)[] = [];

  constructor(client: Client, wire: Injector, seen: Seen) {
    this.#client = client;
    this.#wire = wire;
    this.#seen = seen;
  }

  async run(actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      await this.#step(action);
      for (const open of this.#open) if (open !== undefined) expectBalanced((await this.#get(open.name)).stats?.totals);
    }
    for (const at of this.#open.keys()) await this.#end(at, true);
  }

  async #step(action: Action): Promise<void> {
    if (action.do === "traffic") {
      await this.#wire.play({ flood: { connections: 8, segments: action.segments, perSecond: 100_000 } });
      return;
    }
    const open = this.#open[action.session];
    if (action.do === "create") {
      if (open === undefined) await this.#create(action.session, action.spec);
      return;
    }
    if (open === undefined) return;
    switch (action.do) {
      case "update":
        if (!open.stopped) await this.#update(open.name, action.spec);
        return;
      case "stop":
        open.stopped = true;
        await stop(this.#client, open.name);
        return;
      case "delete":
        await this.#end(action.session, false);
        return;
      case "read":
        if (open.followers.length < READERS) {
          open.followers.push(new Follower(this.#client, { session: open.name, ...action.request }));
        }
        return;
      case "cancel":
        open.followers[action.reader]?.cancel();
        open.followers[action.reader] = undefined;
        return;
      case "pause":
        open.followers[action.reader]?.pause();
        return;
      case "resume":
        open.followers[action.reader]?.resume();
        return;
      case "reconnect":
        open.followers[action.reader]?.reconnect();
    }
  }

  async #create(at: number, spec: Knobs): Promise<void> {
    const { name } = await this.#client.create({ probes: [{ tcp: {} }], interfaces: ["wire-a"], ...knobsOf(spec) });
    this.#open[at] = { name, followers: [], stopped: false };
  }

  async #update(name: string, spec: Knobs): Promise<void> {
    const session = await this.#get(name);
    const request = UpdateSessionRequest.fromJSON({
      session: { name, spec: knobsOf(spec) },
      updateMask: "spec.collection,spec.limits",
    });
    await unary((answer) => this.#client.sessions.updateSession(request, answer));
    expect((await this.#get(name)).state).toBe(session.state);
  }

  /** Takes a session away, with or without stopping it first: every reader comes to its End, and the books balance. */
  async #end(at: number, stopFirst: boolean): Promise<void> {
    const open = this.#open[at];
    if (open === undefined) return;
    this.#open[at] = undefined;
    const followers = open.followers.filter((it) => it !== undefined);
    if (stopFirst) {
      await stop(this.#client, open.name);
      const { stats } = await this.#get(open.name);
      expectBalanced(stats?.totals);
      expect(stats?.totals?.inFlight).toBe(0n);
      await Promise.all(followers.map((follower) => follower.settle()));
    }
    const name = open.name;
    await unary((answer) => this.#client.sessions.deleteSession({ name, etag: "", force: true }, answer));
    if (!stopFirst) await Promise.all(followers.map((follower) => follower.settle(true)));
    for (const { delivered, filtered, lost, resumed } of followers) {
      this.#seen.delivered += delivered;
      this.#seen.filtered += filtered;
      this.#seen.lost += lost;
      this.#seen.resumed += resumed;
    }
  }

  async #get(name: string): Promise<Session> {
    const request = GetSessionRequest.fromPartial({ name });
    const { session } = await unary<GetSessionResponse>((answer) => this.#client.sessions.getSession(request, answer));
    if (session === undefined) throw new Error("GetSession answered no session");
    return session;
  }
}

function knobsOf({ historyBytes, maxSamplesPerSecond, sampleMinLatency }: Knobs): Record<string, unknown> {
  return { limits: { historyBytes }, collection: { maxSamplesPerSecond, sampleMinLatency } };
}

describe("the books of sessions and of their readers", () => {
  const scope = scopeOfEachTest();

  test("balance to the sample whatever is done, in whatever order", { timeout: 300_000 }, async () => {
    const wire = await Injector.start(scope);
    const service = await Service.start(scope, wire.namespace);
    const seen: Seen = { delivered: 0n, filtered: 0n, lost: 0n, resumed: 0 };
    const property = fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 60 }), (actions) =>
      new Interleaving(service.client, wire, seen).run(actions),
    );
    await fc.assert(property, {
      numRuns: RUNS,
      seed: SEED,
      interruptAfterTimeLimit: 240_000,
      markInterruptAsFailure: false,
    });
    for (const [name, count] of Object.entries(seen)) expect(Number(count), name).toBeGreaterThan(0);
  });
});
