import { SessionSpec } from "@latscope/proto";
import { duration } from "../session/time.js";
import type { Config } from "./schema.js";

/** What a session gets that asks for nothing, and the most that it gets: as specs with limits and a cap, for the collector. */
export function boundsOf(config: Config): { defaults: Buffer; maxima: Buffer } {
  return {
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
