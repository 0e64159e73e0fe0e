import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";

import { output, run, type Outcome, type RunOptions } from "./command.js";
import { LineProcess } from "./lines.js";
import type { Scope } from "./scope.js";

const FOLDER = "/run/netns";
const PREFIX = "lst-";
const STALE_MS = 3_600_000;

/** A network namespace of a test's own. */
export class Namespace {
  /** Name as `ip netns` lists it. */
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** Makes one, with loopback up; the scope takes it away. */
  static async create(scope: Scope): Promise<Namespace> {
    const name = `${PREFIX}${Date.now().toString(36)}-${randomBytes(3).toString("hex")}`;
    await output(["ip", "netns", "add", name]);
    const namespace = new Namespace(name);
    scope.defer(async () => {
      await output(["ip", "netns", "delete", name]);
    });
    await namespace.ip("link set lo up");
    return namespace;
  }

  get path(): string {
    return `${FOLDER}/${this.name}`;
  }

  /** The command, to be run in here. Only the network differs: mounts stay, as `ip netns exec` would not have it. */
  wrap(command: readonly string[]): string[] {
    return ["nsenter", `--net=${this.path}`, "--", ...command];
  }

  run(command: readonly string[], options?: RunOptions): Promise<Outcome> {
    return run(this.wrap(command), options);
  }

  output(command: readonly string[], options?: RunOptions): Promise<string> {
    return output(this.wrap(command), options);
  }

  start(scope: Scope, command: readonly string[], env?: NodeJS.ProcessEnv): LineProcess {
    return new LineProcess(scope, this.wrap(command), env);
  }

  /** Carries out `ip` commands in one go, each a line without the leading "ip". */
  async ip(...lines: readonly string[]): Promise<void> {
    await output(["ip", "-netns", this.name, "-batch", "-"], { input: `${lines.join("\n")}\n` });
  }

  /** Sets a variable of /proc/sys/net: `sysctl("ipv6/conf/all/disable_ipv6", 1)`. */
  async sysctl(variable: string, value: number): Promise<void> {
    await this.output(["tee", `/proc/sys/net/${variable}`], { input: String(value) });
  }

  /** `ip -json` or `tc -json` in here, parsed. */
  async json(command: readonly string[]): Promise<unknown> {
    const text = await this.output(command);
    return text.trim() === "" ? [] : (JSON.parse(text) as unknown);
  }
}

/** Takes away namespaces that an earlier run of these tests left when it was killed. */
export async function sweepStaleNamespaces(): Promise<void> {
  const names = await readdir(FOLDER).catch(() => []);
  for (const name of names) {
    const made = new RegExp(`^${PREFIX}([0-9a-z]+)-[0-9a-f]{6}$`).exec(name)?.[1];
    if (made !== undefined && Date.now() - parseInt(made, 36) > STALE_MS) {
      await run(["ip", "netns", "delete", name]);
    }
  }
}
