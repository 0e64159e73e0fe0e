import type { LineProcess } from "./lines.js";
import type { Namespace } from "./netns.js";
import { inRepository } from "./paths.js";
import type { Scope } from "./scope.js";

/** What the process of an endpoint is told. */
export type Command =
  | { id: number; do: "listen"; host: string; port: number }
  | { id: number; do: "connect"; host: string; port: number; localPort?: number }
  | { id: number; do: "send"; connection: number; bytes: number }
  | { id: number; do: "close"; connection: number };

/** What it answers; `error` is a code such as ECONNREFUSED. */
export type Answer = { id: number; ok: number; localPort?: number } | { id: number; error: string };

type Request = Command extends infer C ? (C extends Command ? Omit<C, "id"> : never) : never;

/** A TCP connection that the other end answers with an echo. */
export interface Connection {
  /** Port of this end. */
  readonly localPort: number;
  /** Sends so many bytes and waits until they all came back. */
  echo(bytes: number): Promise<void>;
  /** Closes in both directions and waits until that is done. */
  close(): Promise<void>;
}

/** A process that makes real TCP traffic in a namespace, with the kernel's own stack. */
export class Endpoint {
  readonly #process: LineProcess;
  #lastId = 0;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  static async start(scope: Scope, namespace: Namespace): Promise<Endpoint> {
    const program = inRepository("test/dist/harness/endpoint-process.js");
    const endpoint = new Endpoint(namespace.start(scope, [process.execPath, program]));
    await endpoint.#process.line();
    return endpoint;
  }

  /** Echoes whatever comes to the port; gives the port. */
  async listen(port = 0, host = "::"): Promise<number> {
    return (await this.#ask({ do: "listen", host, port })).ok;
  }

  /** Opens a connection. Rejects with the code of the failure as message: ECONNREFUSED. */
  async connect(host: string, port: number, localPort?: number): Promise<Connection> {
    const opened = await this.#ask({ do: "connect", host, port, ...(localPort === undefined ? {} : { localPort }) });
    const connection = opened.ok;
    return {
      localPort: opened.localPort ?? 0,
      echo: async (bytes) => {
        await this.#ask({ do: "send", connection, bytes });
      },
      close: async () => {
        await this.#ask({ do: "close", connection });
      },
    };
  }

  /** One command at a time: the next answer belongs to it. */
  #ask(request: Request): Promise<Extract<Answer, { ok: number }>> {
    const id = ++this.#lastId;
    const answered = this.#turn.then(async () => {
      this.#process.write(`${JSON.stringify({ id, ...request })}\n`);
      const answer = JSON.parse(await this.#process.line()) as Answer;
      if (answer.id !== id) throw new Error(`the endpoint answered ${String(answer.id)}, not ${String(id)}`);
      if ("error" in answer) throw new Error(answer.error);
      return answer;
    });
    this.#turn = answered.catch(() => undefined);
    return answered;
  }
}
