import { SessionSpec } from "@latscope/proto";
import { duration } from "../session/time.js";
import type { CollectorOptions } from "../addon/types.js";
import type { Config } from "./schema.js";

/** What the collector is told of the configuration: as specs with limits and a cap, what a session gets by default and at most. */
export function boundsOf(config: Config): Omit<CollectorOptions, "node"> {
  return {
    countRuns: config.programStats === "on",
    packetFlows: config.packetFlows,
    defaults: encode({
      limits: {
        idleTimeout: duration(config.idleTimeout),
        retain: duration(config.retain),
        historyBytes: BigInt(config.historyBytes),
      },
      collection: { maxSamplesPerSecond: config.samplesPerSecond },
    }),
    maxima: encode({
      limits: {
        duration: config.maxDuration === undefined ? undefined : duration(config.maxDuration),
        idleTimeout: duration(config.maxIdleTimeout),
        retain: duration(config.maxRetain),
        historyBytes: BigInt(config.maxHistoryBytes),
      },
      collection: { maxSamplesPerSecond: config.maxSamplesPerSecond },
    }),
  };
}

function encode(spec: Parameters<typeof SessionSpec.fromPartial>[0]): Buffer {
  return Buffer.from(SessionSpec.encode(SessionSpec.fromPartial(spec)).finish());
}
