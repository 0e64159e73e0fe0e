import type { GetSnapshotResponse } from "@latscope/proto";
import { unimplemented } from "../rpc/unimplemented.js";

/** Not there yet: it is made of histograms, and the collector hands over none so far. */
export function getSnapshot(): Promise<GetSnapshotResponse> {
  return Promise.reject(
    unimplemented("GetSnapshot", "histograms are not collected yet; StreamSamples has every sample"),
  );
}
