import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import type { Scope } from "./scope.js";

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A running process whose standard output is read line by line; its lines are the latches that tests wait on.
 * It is killed when its scope closes, and by the kernel when the test runner dies.
 */
export class LineProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #name: string;
  readonly #lines: string[] = [];
  readonly #waiting: (() => void)[] = [];
  #stderr = "";
  #ended = false;

  /** Resolves when the process has ended and all its output was read. */
  readonly exit: Promise<Exit>;

  constructor(scope: Scope, command: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#name = command.join(" ");
    this.#child = spawn("setpriv", ["--pdeathsig", "SIGKILL", "--", ...command], { env });
    this.exit = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        this.#ended = true;
        this.#wake();
        resolve({ code, signal });
      });
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    this.#child.stdin.on("error", () => undefined);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    scope.defer(async () => {
      this.kill("SIGKILL");
      await this.exit;
    });
  }

  /** Process id; the command is exec'ed, so it is the command's own. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#name} did not start`);
    return this.#child.pid;
  }

  /** Everything it wrote to standard error so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Lines of standard output that nobody has taken yet. */
  get pending(): readonly string[] {
    return this.#lines;
  }

  /** Takes the next line of standard output. Rejects when the process ends, or says nothing for `timeoutMs`. */
  async line(timeoutMs = 20_000): Promise<string> {
    await this.#until(() => this.#lines.length > 0, "a line", timeoutMs);
    return this.#lines.shift() ?? "";
  }

  /** Takes lines up to the first one that `wanted` accepts, and gives that. */
  async lineWhere(wanted: (line: string) => boolean, timeoutMs = 20_000): Promise<string> {
    for (;;) {
      const line = await this.line(timeoutMs);
      if (wanted(line)) return line;
    }
  }

  /** Waits until standard error holds `text`. */
  stderrHas(text: string, timeoutMs = 20_000): Promise<void> {
    return this.#until(() => this.#stderr.includes(text), `"${text}" on standard error`, timeoutMs);
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  closeInput(): void {
    this.#child.stdin.end();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async #until(holds: () => boolean, what: string, timeoutMs: number): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    while (!holds()) {
      if (this.#ended) throw new Error(`${this.#name} ended before ${what}: ${this.#stderr}`);
      if (deadline.aborted) throw new Error(`${this.#name}: no ${what} in ${String(timeoutMs)} ms: ${this.#stderr}`);
      const woken = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await Promise.race([woken, once(deadline, "abort")]);
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
