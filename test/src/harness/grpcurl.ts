import { run, type Outcome } from "./command.js";
import { LineProcess } from "./lines.js";
import type { Scope } from "./scope.js";

function command(socket: string, args: readonly string[], data?: unknown, flags: readonly string[] = []): string[] {
  const body = data === undefined ? [] : ["-d", JSON.stringify(data)];
  return ["grpcurl", "-plaintext", "-unix", ...flags, ...body, socket, ...args];
}

/** Runs the real grpcurl against a unix socket: `grpcurl(socket, ["list"])`, `grpcurl(socket, [method], request)`. */
export function grpcurl(
  socket: string,
  args: readonly string[],
  data?: unknown,
  flags?: readonly string[],
): Promise<Outcome> {
  return run(command(socket, args, data, flags));
}

/** A server stream through the real grpcurl, message by message. */
export class GrpcurlStream {
  readonly process: LineProcess;

  constructor(scope: Scope, socket: string, method: string, data: unknown) {
    this.process = new LineProcess(scope, command(socket, [method], data));
  }

  /** The next message, as grpcurl prints it: JSON over several lines, closed by a brace in the first column. */
  async next(): Promise<Record<string, unknown>> {
    const lines: string[] = [];
    do lines.push(await this.process.line());
    while (lines.at(-1) !== "}");
    return JSON.parse(lines.join("\n")) as Record<string, unknown>;
  }
}
