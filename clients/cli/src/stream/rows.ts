import type { SampleRows } from "@latscope/proto";
import { nanoseconds } from "../format/time.js";
import type { Measurement } from "./measurement.js";

/** The samples of a message in rows. */
export function* fromRows(rows: SampleRows): Generator<Measurement> {
  for (const sample of rows.samples) {
    const { time, latency, metric, quality, flow, process, subject, result, weight, probe, retries } = sample;
    yield {
      timeNs: nanoseconds(time),
      latencyNs: nanoseconds(latency),
      metric,
      quality,
      flow,
      process,
      subject,
      result,
      weight,
      probe,
      retries,
    };
  }
}
