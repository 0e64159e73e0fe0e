import { Metric } from "@latscope/proto";
import type { Measurement } from "../stream/measurement.js";
import { endpoint } from "./address.js";
import { milliseconds } from "./duration.js";
import { shortName } from "./metric.js";
import { notes } from "./notes.js";
import type { Paint } from "./paint.js";
import { printable } from "./text.js";
import { Clock } from "./time.js";

const metricWidth = 15;
const narrowest = 37;
// Two IPv6 addresses with their ports; what is longer moves its own line only.
const widest = 2 * 47 + 4;

/** Samples as lines for a person: `14:03:07.218  rtt             10.0.0.7:51334 -> 10.0.9.9:443      11.214 ms  eth0  seq`. */
export class SampleLines {
  readonly #paint: Paint;
  readonly #clock = new Clock();
  #width = narrowest;

  constructor(paint: Paint) {
    this.#paint = paint;
  }

  /** One line, without its end. */
  line(sample: Measurement): string {
    const what = measured(sample);
    // The column grows to what it has seen, so that lines stand below one another most of the time.
    if (what.length > this.#width && what.length <= widest) this.#width = what.length;
    const failed = sample.metric === Metric.TCP_CONNECT_FAILURE;
    const name = shortName(sample.metric).padEnd(metricWidth);
    const latency = `${milliseconds(sample.latencyNs).padStart(8)} ms`;
    const parts = [
      this.#paint("dim", this.#clock.timeOfDay(sample.timeNs)),
      `${failed ? this.#paint("red", name) : name} ${what.padEnd(this.#width)} ${this.#paint("bold", latency)}`,
    ];
    const where = printable(sample.flow?.interface ?? "");
    if (where !== "") parts.push(where);
    const beside = notes(sample).join(", ");
    if (beside !== "") parts.push(this.#paint("dim", beside));
    return parts.join("  ");
  }
}

function measured({ flow, process, subject }: Measurement): string {
  if (flow !== undefined) {
    const client = endpoint(printable(flow.clientAddress), flow.clientPort);
    const server = endpoint(printable(flow.serverAddress), flow.serverPort);
    return `${client} -> ${server}`;
  }
  const task = process === undefined ? "" : `${printable(process.comm)}[${process.pid}]`;
  return [task, printable(subject)].filter((part) => part !== "").join(" ");
}
