import type { Metric } from "@latscope/proto";
import { milliseconds } from "../format/duration.js";
import { shortName } from "../format/metric.js";
import { table } from "../format/table.js";
import type { Measurement } from "../stream/measurement.js";
import { booksLine, type Books } from "./books.js";
import { Histogram } from "./histogram.js";

/** What the samples of a stream come to, by metric. */
export class Summary {
  readonly #byMetric = new Map<Metric, Histogram>();
  #count = 0n;

  /** How many samples were added. */
  get count(): bigint {
    return this.#count;
  }

  add({ metric, latencyNs }: Measurement): void {
    let histogram = this.#byMetric.get(metric);
    if (histogram === undefined) this.#byMetric.set(metric, (histogram = new Histogram()));
    histogram.add(latencyNs);
    this.#count += 1n;
  }

  /** The table, a row for each metric in the contract's order (none without samples), and the line of the books. */
  lines(books: Books): string[] {
    return [...this.table(), booksLine(books)];
  }

  /** The table alone. */
  table(): string[] {
    if (this.#byMetric.size === 0) return [];
    const rows = [...this.#byMetric]
      .sort(([a], [b]) => a - b)
      .map(([metric, histogram]) => {
        const values = [histogram.min, ...[0.5, 0.9, 0.99].map((q) => histogram.quantile(q)), histogram.max];
        return [shortName(metric), histogram.count.toString(), ...values.map(milliseconds)];
      });
    const header = ["metric", "count", "min", "p50", "p90", "p99", "max"];
    const [first = "", ...rest] = table([header, ...rows], ["left", ...header.slice(1).map(() => "right" as const)]);
    return [first, ...rest.map((line) => `${line} ms`)];
  }
}
