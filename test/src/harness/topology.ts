import { eventually } from "./eventually.js";
import type { LineProcess } from "./lines.js";
import { Namespace } from "./netns.js";
import { inRepository } from "./paths.js";
import type { Scope } from "./scope.js";

/** Addresses of the two ends, the same in every topology: no two topologies can see each other. */
export const CLIENT = { v4: "10.77.0.1", v6: "fd77::1", interface: "client0" } as const;
export const SERVER = { v4: "10.77.0.2", v6: "fd77::2", interface: "server0" } as const;

/** A client and a server, each in a namespace of its own, on one Ethernet. */
export interface Network {
  readonly client: Namespace;
  readonly server: Namespace;
}

/** Client and server joined by one veth pair. */
export async function direct(scope: Scope): Promise<Network> {
  const [client, server] = await Promise.all([Namespace.create(scope), Namespace.create(scope)]);
  await client.ip(`link add ${CLIENT.interface} type veth peer name ${SERVER.interface} netns ${server.name}`);
  await Promise.all([address(client, CLIENT), address(server, SERVER)]);
  await Promise.all([settled(client, CLIENT), settled(server, SERVER)]);
  return { client, server };
}

export interface RelayOptions {
  /** Time a frame takes from client to server, in humantime notation: "20ms". */
  readonly delay: string;
  /** From server to client; default as `delay`. */
  readonly delayBack?: string;
  /** Segments lost from client to server: "syn:1", "data:2", "ack:1". */
  readonly drop?: readonly string[];
  /** Segments lost from server to client. */
  readonly dropBack?: readonly string[];
}

/** What the relay did: [client to server, server to client]. */
export interface RelayCounters {
  readonly forwarded: readonly [number, number];
  readonly dropped: readonly [number, number];
  /** Frames it missed; a test in which this is not 0 says nothing. */
  readonly overrun: readonly [number, number];
}

export interface RelayedNetwork extends Network {
  /** Ends the relay and gives its counters. */
  stopRelay(): Promise<RelayCounters>;
}

/** Client and server with the delaying relay between them. */
export async function relayed(scope: Scope, options: RelayOptions): Promise<RelayedNetwork> {
  const [client, relay, server] = await Promise.all([
    Namespace.create(scope),
    Namespace.create(scope),
    Namespace.create(scope),
  ]);
  // The relay's own stack must not answer or add anything.
  await relay.sysctl("ipv6/conf/default/disable_ipv6", 1);
  await relay.ip(
    `link add near type veth peer name ${CLIENT.interface} netns ${client.name}`,
    `link add far type veth peer name ${SERVER.interface} netns ${server.name}`,
    "link set near up",
    "link set far up",
  );
  await Promise.all([address(client, CLIENT), address(server, SERVER)]);
  await Promise.all([settled(client, CLIENT), settled(server, SERVER)]);
  const running = relay.start(scope, [RELAY, "near", "far", ...flags(options)]);
  await ready(running);
  return {
    client,
    server,
    stopRelay: async () => {
      running.closeInput();
      const counters = JSON.parse(await running.line()) as RelayCounters;
      await running.exit;
      return counters;
    },
  };
}

/** The relay and injector, where cargo builds it. */
export const RELAY = `${process.env["CARGO_TARGET_DIR"] ?? inRepository("target")}/release/latscope-relay`;

/** Waits for the relay's or injector's latch. */
export async function ready(running: LineProcess): Promise<void> {
  const line = await running.line();
  if (line !== "READY") throw new Error(`latscope-relay said ${line}`);
}

function flags(options: RelayOptions): string[] {
  return [
    ...["--delay", options.delay],
    ...(options.delayBack === undefined ? [] : ["--delay-back", options.delayBack]),
    ...(options.drop ?? []).flatMap((drop) => ["--drop", drop]),
    ...(options.dropBack ?? []).flatMap((drop) => ["--drop-back", drop]),
  ];
}

type End = typeof CLIENT | typeof SERVER;

async function address(namespace: Namespace, end: End): Promise<void> {
  await namespace.ip(
    `address add ${end.v4}/24 dev ${end.interface}`,
    `address add ${end.v6}/64 dev ${end.interface} nodad`,
    `link set ${end.interface} up`,
  );
}

/** Waits until the kernel has seen the carrier: what is sent before is lost. */
async function settled(namespace: Namespace, end: End): Promise<void> {
  await eventually(`${end.interface} is up`, async () => {
    const links = (await namespace.json(["ip", "-json", "link", "show", "dev", end.interface])) as {
      operstate: string;
    }[];
    return links[0]?.operstate === "UP";
  });
}
