import { GroupHistogram, HistogramBatch } from "@latscope/proto";
import { LineQueue } from "../output/line-queue.js";
import { RotatingFile } from "../output/rotating-file.js";
import type { Exported } from "./exported.js";
import { Follower } from "./follower.js";
import type { Exporter } from "./start.js";

const mostWaiting = 16 * 1024 * 1024;
const retryMs = 1000;

export interface JsonFile {
  path: string;
  maxBytes: number;
  keep: number;
}

/** Writes what each session counted in each interval to a file: a line for each group, and one for the session's books. */
export function startJsonLines({ path, maxBytes, keep }: JsonFile, intervalMs: number, exported: Exported): Exporter {
  const { log, node } = exported;
  const queue = new LineQueue({
    sink: new RotatingFile({ path, maxBytes, keep, compress: true, mode: 0o640 }),
    log,
    most: mostWaiting,
    retryMs,
    lossLine: ({ count, from, to }) =>
      lineOf({ node, lost: { lines: count, from: new Date(from).toISOString(), to: new Date(to).toISOString() } }),
  });
  const follower = new Follower({
    exported,
    name: `export to ${path}`,
    intervalMs,
    cumulative: false,
    take: async ({ name: session }, batch) => {
      // The contract's own JSON: 64-bit numbers are strings, empty fields are left out.
      const { startTime, endTime, totals } = HistogramBatch.toJSON({ ...batch, groups: [] }) as Record<string, unknown>;
      const common = { node, session, startTime, endTime };
      for (const group of batch.groups) queue.push(lineOf({ ...common, ...(GroupHistogram.toJSON(group) as object) }));
      queue.push(lineOf({ ...common, totals }));
      return Promise.resolve();
    },
  });
  return {
    announcement: `histograms go to ${path}, a line for each group and interval`,
    counts: () => ({ name: `json:${path}`, sent: queue.written, lost: queue.lost, failing: queue.failing }),
    close: async () => {
      await follower.close();
      await queue.close();
    },
  };
}

function lineOf(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
