import { unimplemented } from "../rpc/unimplemented.js";

/** Not there yet: the collector hands over no histograms so far. */
export function streamHistograms(): Promise<void> {
  return Promise.reject(
    unimplemented("StreamHistograms", "histograms are not collected yet; StreamSamples has every sample"),
  );
}
