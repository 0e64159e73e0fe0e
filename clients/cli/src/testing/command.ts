import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const bin = join(import.meta.dirname, "../../bin/latscope.js");

/** What a run of the command came to. */
export interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The real command, in a process of its own. */
export class RunningCommand {
  readonly process: ChildProcessWithoutNullStreams;
  /** How it ended, once its output has been read. */
  readonly done: Promise<Result>;
  #stdout = "";
  #stderr = "";
  #waiting: (() => void)[] = [];

  /** @param launcher what starts node, if not we ourselves: a command and its first arguments */
  constructor(args: readonly string[], environment: NodeJS.ProcessEnv = {}, launcher: readonly string[] = []) {
    const { PATH } = process.env;
    const [command = "", ...rest] = [...launcher, process.execPath, bin, ...args];
    this.process = spawn(command, rest, { env: { PATH, TZ: "UTC", ...environment } });
    this.process.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      this.#wake();
    });
    this.process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    this.done = once(this.process, "close").then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** Resolves once the pattern stands in stdout or stderr. */
  async until(pattern: RegExp): Promise<void> {
    const ended = this.done.then(() => true);
    while (!pattern.test(this.#stdout) && !pattern.test(this.#stderr)) {
      const more = new Promise<boolean>((resolve) =>
        this.#waiting.push(() => {
          resolve(false);
        }),
      );
      if (await Promise.race([more, ended]))
        throw new Error(`ended before ${String(pattern)}: ${this.#stdout}${this.#stderr}`);
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** Runs the command to its end. */
export function latscope(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Result> {
  return new RunningCommand(args, environment).done;
}
