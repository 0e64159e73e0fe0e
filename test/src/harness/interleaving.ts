import {
  GetSessionRequest,
  GetSnapshotRequest,
  UpdateSessionRequest,
  type GetSessionResponse,
  type GetSnapshotResponse,
  type Session,
  type Totals,
} from "@latscope/proto";
import { expect } from "vitest";

import { READERS, type Action, type Knobs } from "./actions.js";
import { expectBalanced } from "./books.js";
import { unary, type Client, type SpecJson } from "./client.js";
import { Follower } from "./follower.js";
import { HistogramFollower } from "./histogram-follower.js";
import { stop } from "./measure.js";

/** What is measured. */
export interface World {
  readonly client: Client;
  readonly spec: SpecJson;
  /** Has so many samples measured. @param measured what a session has measured so far, of every session that runs */
  traffic(samples: number, measured: () => Promise<bigint | undefined>): Promise<void>;
}

/** What interleavings came to: a run in which nothing happened would prove nothing. */
export class Seen {
  delivered = 0n;
  filtered = 0n;
  lost = 0n;
  lostInKernel = 0n;
  withheld = 0n;
  resumed = 0;
  histograms = 0;
  counted = 0n;
  snapshots = 0;
}

/** What there is of one session. */
interface Open {
  readonly name: string;
  readonly followers: (Follower | undefined)[];
  readonly histograms: HistogramFollower[];
  measured: bigint;
  stopped: boolean;
}

/** Carries actions out; those that the state of things does not allow do nothing. */
export class Interleaving {
  readonly #world: World;
  readonly #seen: Seen;
  readonly #open: (Open | undefined)[] = [];

  constructor(world: World, seen: Seen) {
    this.#world = world;
    this.#seen = seen;
  }

  async run(actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      await this.#step(action);
      for (const open of this.#open) if (open !== undefined) await this.#balanced(open);
    }
    for (const at of this.#open.keys()) await this.#end(at, true);
  }

  async #step(action: Action): Promise<void> {
    if (action.do === "traffic") {
      const running = this.#open.find((open) => open?.stopped === false);
      const measured = async (): Promise<bigint | undefined> =>
        running === undefined ? undefined : (await this.#balanced(running)).measured;
      await this.#world.traffic(action.samples, measured);
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
        await stop(this.#world.client, open.name);
        return;
      case "delete":
        await this.#end(action.session, false);
        return;
      case "read":
        if (open.followers.length < READERS) {
          open.followers.push(new Follower(this.#world.client, { session: open.name, ...action.request }));
        }
        return;
      case "histograms":
        if (open.histograms.length < READERS) {
          open.histograms.push(new HistogramFollower(this.#world.client, { session: open.name, ...action.request }));
        }
        return;
      case "snapshot":
        await this.#snapshot(open, action.windowSeconds);
        return;
      case "cancel":
        open.followers[action.reader]?.cancel();
        open.followers[action.reader] = undefined;
        open.histograms.splice(action.reader, 1).forEach((it) => {
          it.cancel();
        });
        return;
      case "pause":
        open.followers[action.reader]?.pause();
        open.histograms[action.reader]?.pause();
        return;
      case "resume":
        open.followers[action.reader]?.resume();
        open.histograms[action.reader]?.resume();
        return;
      case "reconnect":
        open.followers[action.reader]?.reconnect();
    }
  }

  async #create(at: number, spec: Knobs): Promise<void> {
    const { client, spec: base } = this.#world;
    const { name } = await client.create({ ...base, ...knobsOf(spec) });
    this.#open[at] = { name, followers: [], histograms: [], measured: 0n, stopped: false };
  }

  async #update(name: string, spec: Knobs): Promise<void> {
    const session = await this.#get(name);
    const request = UpdateSessionRequest.fromJSON({
      session: { name, spec: knobsOf(spec) },
      updateMask: "spec.collection,spec.limits",
    });
    await unary((answer) => this.#world.client.sessions.updateSession(request, answer));
    expect((await this.#get(name)).state).toBe(session.state);
  }

  /** The books of a session, which balance, and of which nothing is ever taken back. */
  async #balanced(open: Open): Promise<Totals> {
    const totals = (await this.#get(open.name)).stats?.totals;
    expectBalanced(totals);
    expect(totals?.measured).toBeGreaterThanOrEqual(open.measured);
    open.measured = totals?.measured ?? 0n;
    return totals ?? expect.fail();
  }

  /** What is in the histograms was measured, and everything that was measured before is in them. */
  async #snapshot(open: Open, windowSeconds: number): Promise<void> {
    const before = await this.#balanced(open);
    const window = windowSeconds === 0 ? undefined : { seconds: BigInt(windowSeconds) };
    const request = GetSnapshotRequest.fromPartial({ session: open.name, top: 65_536, window });
    const { groups, totalGroups, stats } = await unary<GetSnapshotResponse>((answer) =>
      this.#world.client.samples.getSnapshot(request, answer),
    );
    expectBalanced(stats?.totals);
    expect(groups).toHaveLength(totalGroups);
    const counted = groups.reduce((sum, { count }) => sum + count, 0n);
    expect(counted).toBeLessThanOrEqual(stats?.totals?.measured ?? 0n);
    if (window === undefined) expect(counted).toBeGreaterThanOrEqual(before.measured);
    this.#seen.snapshots += 1;
  }

  /** Takes a session away, with or without stopping it first: every reader comes to its End, and the books balance. */
  async #end(at: number, stopFirst: boolean): Promise<void> {
    const open = this.#open[at];
    if (open === undefined) return;
    this.#open[at] = undefined;
    const { name } = open;
    const followers = open.followers.filter((it) => it !== undefined);
    if (stopFirst) {
      await stop(this.#world.client, name);
      const totals = await this.#balanced(open);
      expect(totals.inFlight).toBe(0n);
      await this.#snapshot(open, 0);
      await Promise.all(followers.map((follower) => follower.settle()));
      for (const histogram of open.histograms) this.#seen.counted += await histogram.settle();
      this.#seen.lostInKernel += totals.losses.reduce((sum, { count }) => sum + count, 0n);
      this.#seen.withheld += totals.aggregatedOnly;
      this.#seen.histograms += open.histograms.length;
    }
    await unary((answer) => this.#world.client.sessions.deleteSession({ name, etag: "", force: true }, answer));
    if (!stopFirst) await Promise.all([...followers, ...open.histograms].map((reader) => reader.settle(true)));
    for (const { delivered, filtered, lost, resumed } of followers) {
      this.#seen.delivered += delivered;
      this.#seen.filtered += filtered;
      this.#seen.lost += lost;
      this.#seen.resumed += resumed;
    }
  }

  async #get(name: string): Promise<Session> {
    const request = GetSessionRequest.fromPartial({ name });
    const { session } = await unary<GetSessionResponse>((answer) =>
      this.#world.client.sessions.getSession(request, answer),
    );
    return session ?? expect.fail("GetSession answered no session");
  }
}

function knobsOf({ historyBytes, ...collection }: Knobs): SpecJson {
  return { limits: { historyBytes }, collection };
}
