import { spawn } from "node:child_process";

/** How a command that was run to its end went. */
export interface Outcome {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  /** Killed after this time; default 30 s. */
  readonly timeoutMs?: number;
}

/** Runs a command to its end, whatever its exit code. Rejects when it cannot be started. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file, ...args] = command;
  if (file === undefined) throw new TypeError("an empty command");
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: options.env ?? process.env,
      timeout: options.timeoutMs ?? 30_000,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
    // A command that ends without reading its input is no failure of ours.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/** Runs a command to its end and gives its standard output. Rejects with its standard error when it fails. */
export async function output(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await run(command, options);
  if (outcome.code !== 0) {
    const how = outcome.signal ?? `exit code ${String(outcome.code)}`;
    throw new Error(`${command.join(" ")}: ${how}: ${outcome.stderr.trim()}`);
  }
  return outcome.stdout;
}
