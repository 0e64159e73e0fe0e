import { HistogramBatch, type GroupHistogram, type Start, type StreamHistogramsResponse } from "@latscope/proto";
import type { MessageJson } from "../format/message.js";
import { paintFor } from "../format/paint.js";
import { Clock, nanoseconds } from "../format/time.js";
import { watchingLine } from "../format/watching.js";
import { showNews } from "../stream/show.js";
import type { Outputs } from "../stream/view.js";
import { countsLine, type Books } from "../summary/books.js";
import { histogramTable } from "./table.js";
import { Tally } from "./tally.js";

/** How a person or a program wants histograms. */
export interface HistogramOptions {
  /** Prints batches for a program. */
  json: MessageJson | undefined;
  cumulative: boolean;
  /** Whether the session is this command's own. */
  inline: boolean;
}

/** Shows a stream of histograms: a table for each interval in which something was measured, a summary at the end. */
export class HistogramView {
  readonly #outputs: Outputs;
  readonly #options: HistogramOptions;
  readonly #paint = paintFor(process.stdout, process.env);
  readonly #clock = new Clock();
  readonly #tally: Tally;
  #interval: GroupHistogram[] = [];
  #shown = 0n;
  #counted = 0n;

  constructor(outputs: Outputs, options: HistogramOptions) {
    this.#outputs = outputs;
    this.#options = options;
    this.#tally = new Tally(options.inline);
  }

  /** How many latencies are in the histograms that came. */
  get counted(): bigint {
    return this.#counted;
  }

  async message({ event, session }: StreamHistogramsResponse, giveUp: AbortSignal): Promise<void> {
    if (event?.$case === "start") await this.#start(event.value, session);
    else if (event?.$case === "batch") await this.#batch(event.value, giveUp);
    else await showNews(event, this);
  }

  /** A line beside the tables. */
  say(line: string): Promise<void> {
    return this.#outputs.err.writeLines([line]);
  }

  /** All intervals together, unless the last table had them, and the books; beside the batches where those are for a program. */
  summary(books: Books): Promise<void> {
    const { out, err } = this.#outputs;
    const { cumulative, json } = this.#options;
    const groups = cumulative ? [] : this.#tally.groups;
    const table = groups.length === 0 ? [] : [...(this.#shown === 0n ? [] : [""]), ...histogramTable(groups)];
    return (json === undefined ? out : err).writeLines([...table, countsLine(books)]);
  }

  #start(start: Start, session: string): Promise<void> {
    return this.say(watchingLine(start, session, this.#options.inline));
  }

  async #batch(batch: HistogramBatch, giveUp: AbortSignal): Promise<void> {
    const { json, cumulative } = this.#options;
    if (json !== undefined) await this.#outputs.out.writeLines([json(HistogramBatch.encode(batch).finish())], giveUp);
    this.#interval.push(...batch.groups);
    if (batch.more) return;
    const groups = this.#interval;
    this.#interval = [];
    const count = groups.reduce((sum, { histogram }) => sum + (histogram?.count ?? 0n), 0n);
    const news = cumulative ? count > this.#counted : count > 0n;
    this.#counted = cumulative ? count : this.#counted + count;
    if (!cumulative) this.#tally.add(groups);
    if (json === undefined && news) await this.#table(batch, groups, giveUp);
  }

  async #table({ startTime, endTime }: HistogramBatch, groups: GroupHistogram[], giveUp: AbortSignal): Promise<void> {
    const [start, end] = [startTime, endTime].map((time) => this.#clock.timeOfDay(nanoseconds(time)));
    const lines = [this.#paint("dim", `${start} to ${end}`), ...histogramTable(groups)];
    if (this.#shown > 0n) lines.unshift("");
    this.#shown += 1n;
    await this.#outputs.out.writeLines(lines, giveUp);
  }
}
