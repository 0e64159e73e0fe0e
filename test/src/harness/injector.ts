import { eventually } from "./eventually.js";
import type { LineProcess } from "./lines.js";
import { Namespace } from "./netns.js";
import type { Scope } from "./scope.js";
import { frame, type Segment } from "./tcp.js";
import { ready, RELAY } from "./topology.js";

/** Interfaces of the injector's namespace: what goes out of one comes in at the other. */
export const WIRE = { a: "wire-a", b: "wire-b" } as const;

/** Segments of established connections, each acknowledged: as many round trips, all together so many a second. */
export interface Flood {
  readonly connections: number;
  readonly segments: number;
  readonly perSecond: number;
}

/** A step of a hand-made conversation: a segment, a time to let pass in milliseconds, or many segments. */
export type Step = Segment | { readonly waitMs: number } | { readonly flood: Flood };

/**
 * Sends hand-made segments over a veth pair. Seen from interface `wire-a`, segments of end `a` are egress, those of end `b` ingress.
 */
export class Injector {
  readonly namespace: Namespace;
  readonly #process: LineProcess;
  #syncs = 0;

  private constructor(namespace: Namespace, process: LineProcess) {
    this.namespace = namespace;
    this.#process = process;
  }

  static async start(scope: Scope): Promise<Injector> {
    const namespace = await Namespace.create(scope);
    await namespace.sysctl("ipv6/conf/default/disable_ipv6", 1);
    await namespace.ip(
      `link add ${WIRE.a} type veth peer name ${WIRE.b}`,
      `link set ${WIRE.a} up`,
      `link set ${WIRE.b} up`,
    );
    await eventually("the wire is up", async () => {
      const links = (await namespace.json(["ip", "-json", "link", "show", "type", "veth"])) as { operstate: string }[];
      return links.length === 2 && links.every((link) => link.operstate === "UP");
    });
    const process = namespace.start(scope, [RELAY, "inject", WIRE.a, WIRE.b]);
    await ready(process);
    return new Injector(namespace, process);
  }

  /** Sends the segments in order, with at least the waits between them; resolves when the last is out. */
  async play(...steps: readonly Step[]): Promise<void> {
    const word = `sync-${++this.#syncs}`;
    this.#process.write(`${[...script(steps), `sync ${word}`].join("\n")}\n`);
    await this.#process.lineWhere((line) => line === word);
  }
}

/** The two ends' frames take different ways to the watched interface, one through a softirq: a pause keeps their order. */
const TURN = "wait 1ms";

function script(steps: readonly Step[]): string[] {
  let last: Segment["from"] | undefined;
  return steps.flatMap((step) => {
    if ("flood" in step) {
      const { connections, segments, perSecond } = step.flood;
      last = undefined;
      return [`flood ${String(connections)} ${String(segments)} ${String(perSecond)}`];
    }
    if ("waitMs" in step) return [`wait ${Math.round(step.waitMs * 1000)}us`];
    const turn = last !== undefined && last !== step.from ? [TURN] : [];
    last = step.from;
    return [...turn, `${step.from} ${frame(step)}`];
  });
}
