import { SampleRows } from "@latscope/proto";
import type { Capture } from "@latscope/addon";
import { SampleLines } from "../format/line.js";
import { paintFor } from "../format/paint.js";
import { printable } from "../format/text.js";
import { fromRows } from "../stream/rows.js";
import type { Outputs } from "../stream/view.js";
import { Summary } from "../summary/summary.js";
import { accountLine, type Account } from "./account.js";
import { problemIn, type Problem } from "./problem.js";
import { Progress } from "./progress.js";

/** How captures are replayed. */
export interface ReplayOptions {
  json: boolean;
  /** A line for each sample, for a person. */
  samples: boolean;
  local: readonly string[];
  inner: boolean;
  ignoreVlan: boolean;
}

/** Replays captures one after the other, each with programs and tables of its own, and sums them up. */
export class Replay {
  readonly #outputs: Outputs;
  readonly #options: ReplayOptions;
  readonly #stop: AbortSignal;
  readonly #summary = new Summary();
  readonly #lines = new SampleLines(paintFor(process.stdout, process.env));
  readonly #books: [name: string, account: Account][] = [];

  /** @param stop ends it after the batch under way */
  constructor(outputs: Outputs, options: ReplayOptions, stop: AbortSignal) {
    this.#outputs = outputs;
    this.#options = options;
    this.#stop = stop;
  }

  /** Replays a file; what is wrong with it, if anything. What came before the wrong place is shown and counted. */
  async file(path: string): Promise<Problem | undefined> {
    const { json, local, inner, ignoreVlan } = this.#options;
    const { Capture } = await import("@latscope/addon");
    let capture: Capture | undefined;
    try {
      capture = await Capture.open(path, { json, local: [...local], inner, ignoreVlan });
      return await this.#through(capture, printable(path));
    } catch (error) {
      const problem = problemIn(error);
      if (problem === undefined) throw error;
      return problem;
    } finally {
      await capture?.close();
    }
  }

  async #through(capture: Capture, name: string): Promise<Problem | undefined> {
    const quiet = process.stderr.isTTY && !(this.#showsSamples && process.stdout.isTTY);
    const progress = new Progress(quiet ? this.#outputs.err : undefined);
    let problem: Problem | undefined;
    try {
      for (;;) {
        const batch = this.#stop.aborted ? null : await capture.next();
        if (batch === null) break;
        await this.#show(batch);
        if (progress.due) await progress.show(name, await accountOf(capture));
      }
    } catch (error) {
      problem = problemIn(error);
      if (problem === undefined) throw error;
    } finally {
      await progress.clear();
    }
    this.#books.push([name, await accountOf(capture)]);
    return problem;
  }

  get #showsSamples(): boolean {
    return this.#options.json || this.#options.samples;
  }

  async #show(batch: Buffer): Promise<void> {
    const { out } = this.#outputs;
    if (this.#options.json) {
      await out.write(batch.toString(), this.#stop);
      return;
    }
    let text = "";
    for (const sample of fromRows(SampleRows.decode(batch))) {
      this.#summary.add(sample);
      if (this.#options.samples) text += `${this.#lines.line(sample)}\n`;
    }
    await out.write(text, this.#stop);
  }

  /** The table and the books of each file; beside the samples where those are for a program. */
  async sum(): Promise<void> {
    const { out, err } = this.#outputs;
    const books = this.#books.map(([name, account]) =>
      this.#books.length === 1 ? accountLine(account) : `${name}: ${accountLine(account)}`,
    );
    await (this.#options.json ? err : out).writeLines([...this.#summary.table(), ...books]);
  }
}

async function accountOf(capture: Capture): Promise<Account> {
  return JSON.parse(await capture.account()) as Account;
}
