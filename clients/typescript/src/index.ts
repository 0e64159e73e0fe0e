export { connect, type Latscope } from "./connect.js";
export type { HistogramOptions, Interval } from "./histograms.js";
export { quantileOf, sumOf } from "./histogram.js";
export type { Input } from "./input.js";
export type { Sample } from "./sample.js";
export { tls, type TlsOptions } from "./tls.js";
export type { SampleOptions } from "./options.js";
export { Direction, EndReason, GroupBy, IpProtocol, LossStage, Metric, Quality } from "@latscope/proto";
export type { End, Flow, Group, GroupHistogram, Histogram, Loss, Process, Totals } from "@latscope/proto";
