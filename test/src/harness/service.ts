import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client } from "./client.js";
import { LineProcess, type Exit } from "./lines.js";
import type { Namespace } from "./netns.js";
import { inRepository } from "./paths.js";
import type { Scope } from "./scope.js";

/** The `latscope` command, as npm links it. */
export const LATSCOPE = [process.execPath, inRepository("clients/cli/bin/latscope.js")] as const;

/** The name of the node in every test. */
export const NODE = "test-node";

/** A folder of a test's own; the scope takes it away. */
export async function temporaryFolder(scope: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "latscope-test-"));
  scope.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface ServiceOptions {
  /** More arguments of `latscope serve`. */
  readonly flags?: readonly string[];
  /** The socket; default one in a folder of its own. */
  readonly socket?: string;
  /** How long it may take until it serves; default 20 s. */
  readonly withinMs?: number;
  /** Samples are made up as this says, `prefill=N,per_second=N,flows=N,hostile=SEED`, by the addon built for benches. */
  readonly synthetic?: string;
  /** Linux capabilities that it goes without, as `setpriv --bounding-set` takes them. */
  readonly without?: string;
}

/** Brings the addon that makes samples up; see bench/stream. */
const SYNTHETIC = inRepository("bench/stream/synthetic.js");

/** The whole real service in a network namespace, as `latscope serve` starts it, on a unix socket. */
export class Service {
  readonly socket: string;
  readonly process: LineProcess;
  readonly client: Client;

  private constructor(socket: string, process: LineProcess, client: Client) {
    this.socket = socket;
    this.process = process;
    this.client = client;
  }

  /** Starts it and waits until it says it is SERVING. */
  static async start(scope: Scope, namespace: Pick<Namespace, "wrap">, options: ServiceOptions = {}): Promise<Service> {
    const socket = options.socket ?? join(await temporaryFolder(scope), "latscope.sock");
    const [node, ...latscope] = LATSCOPE;
    const hook = options.synthetic === undefined ? [] : ["--import", SYNTHETIC];
    const bounded = options.without === undefined ? [] : ["setpriv", `--bounding-set=${options.without}`, "--"];
    const command = [
      ...bounded,
      node,
      ...hook,
      ...latscope,
      "serve",
      "--socket",
      socket,
      "--node",
      NODE,
      // Whether this machine has a journal must not matter, and ours has nothing to look for in it.
      ...["--audit", "off"],
      ...(options.flags ?? []),
    ];
    const env = { ...globalThis.process.env, LATSCOPE_SYNTHETIC: options.synthetic };
    const process = new LineProcess(scope, namespace.wrap(command), env);
    const client = new Client(scope, `unix:${socket}`);
    const failed = process.exit.then(({ code, signal }): never => {
      throw new Error(`latscope serve ended (${String(code ?? signal)}) before it served: ${process.stderr}`);
    });
    await Promise.race([client.serving(options.withinMs), failed]);
    failed.catch(() => undefined);
    return new Service(socket, process, client);
  }

  /** SIGTERM, and how it ended. */
  async stop(): Promise<Exit> {
    this.process.kill("SIGTERM");
    return this.process.exit;
  }
}
