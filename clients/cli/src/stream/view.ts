import type { Loss, Start } from "@latscope/proto";
import { sampleJson } from "../format/json.js";
import { SampleLines } from "../format/line.js";
import { lossLine } from "../format/loss.js";
import { paintFor } from "../format/paint.js";
import { Clock } from "../format/time.js";
import { watchingLine } from "../format/watching.js";
import type { Books } from "../summary/books.js";
import { Summary } from "../summary/summary.js";
import type { Output } from "../terminal/output.js";
import type { Measurement } from "./measurement.js";

/** Where a view writes: samples and, for a person, the summary to `out`; all else beside it. */
export interface Outputs {
  out: Output;
  err: Output;
}

/** Shows a stream: a line for each sample as it comes, what else happens beside them, a summary at the end. */
export class View {
  readonly #outputs: Outputs;
  readonly #format: (sample: Measurement) => string;
  readonly #json: boolean;
  readonly #clock = new Clock();
  readonly #summary = new Summary();
  readonly #losses: Loss[] = [];

  constructor(outputs: Outputs, json: boolean) {
    const lines = new SampleLines(paintFor(process.stdout, process.env));
    this.#outputs = outputs;
    this.#json = json;
    this.#format = json ? sampleJson : (sample) => lines.line(sample);
  }

  /** How many samples were shown. */
  get shown(): bigint {
    return this.#summary.count;
  }

  /** What this reader was told of that it missed. */
  get losses(): readonly Loss[] {
    return this.#losses;
  }

  start(start: Start, session: string, inline: boolean): Promise<void> {
    return this.say(watchingLine(start, session, inline));
  }

  /** One write for all samples of a message, so that many a second cost few system calls. */
  samples(samples: Iterable<Measurement>, giveUp: AbortSignal): Promise<void> {
    let text = "";
    for (const sample of samples) {
      this.#summary.add(sample);
      text += `${this.#format(sample)}\n`;
    }
    return this.#outputs.out.write(text, giveUp);
  }

  loss(loss: Loss): Promise<void> {
    this.#losses.push(loss);
    return this.say(lossLine(loss, this.#clock));
  }

  /** A line beside the samples. */
  say(line: string): Promise<void> {
    return this.#outputs.err.writeLines([line]);
  }

  /** The table and the books; beside the samples where those are for a program. */
  summary(books: Books): Promise<void> {
    const { out, err } = this.#outputs;
    return (this.#json ? err : out).writeLines(this.#summary.lines(books));
  }
}
