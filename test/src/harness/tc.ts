import type { Namespace } from "./netns.js";

/** Another tool's traffic control on an interface: a clsact qdisc with a filter that drops TCP segments to one port on egress. */
export interface ForeignDrop {
  readonly namespace: Namespace;
  readonly interface: string;
  readonly port: number;
}

/** Counters of the clsact qdisc, and the filters below it as `tc` prints them. */
export interface ForeignState {
  readonly packets: number;
  readonly drops: number;
  readonly filters: unknown;
}

const PREFERENCE = 4_711;

/**
 * Puts the qdisc and the filter there. The filter is classic BPF in direct-action mode, as kernels without the other classifiers and
 * actions have it: 2 is TC_ACT_SHOT, 4294967295 TC_ACT_UNSPEC.
 */
export async function installForeignDrop(drop: ForeignDrop): Promise<void> {
  const program = [
    "40 0 0 12", // EtherType
    "21 0 6 2048",
    "48 0 0 23", // IPv4 protocol
    "21 0 4 6",
    "177 0 0 14", // X = IPv4 header length
    "72 0 0 16", // TCP destination port
    `21 0 1 ${String(drop.port)}`,
    "6 0 0 2",
    "6 0 0 4294967295",
  ];
  const { namespace } = drop;
  await namespace.output(["tc", "qdisc", "add", "dev", drop.interface, "clsact"]);
  await namespace.output([
    ...["tc", "filter", "add", "dev", drop.interface, "egress", "preference", String(PREFERENCE), "protocol", "all"],
    ...["bpf", "bytecode", [String(program.length), ...program].join(","), "direct-action"],
  ]);
}

/** What is there now. Rejects when the qdisc is gone. */
export async function foreignState({ namespace, interface: name }: ForeignDrop): Promise<ForeignState> {
  const qdiscs = (await namespace.json(["tc", "-s", "-json", "qdisc", "show", "dev", name])) as {
    kind: string;
    packets: number;
    drops: number;
  }[];
  const clsact = qdiscs.find((qdisc) => qdisc.kind === "clsact");
  if (clsact === undefined) throw new Error(`the clsact qdisc of ${name} is gone`);
  const filters = await namespace.json(["tc", "-json", "filter", "show", "dev", name, "egress"]);
  return { packets: clsact.packets, drops: clsact.drops, filters };
}

/** Kinds of the qdiscs of an interface. */
export async function qdiscKinds(namespace: Namespace, name: string): Promise<string[]> {
  const qdiscs = (await namespace.json(["tc", "-json", "qdisc", "show", "dev", name])) as { kind: string }[];
  return qdiscs.map((qdisc) => qdisc.kind);
}
