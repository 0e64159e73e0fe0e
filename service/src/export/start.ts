import type { Config } from "../config/schema.js";
import type { Exported } from "./exported.js";

/** What became of what an exporter sent. */
export interface ExportCounts {
  name: string;
  /** Messages or lines. */
  sent: number;
  lost: number;
  /** Why nothing gets through at the moment; empty while it does. */
  failing: string;
}

/** A way for numbers to leave, at work. */
export interface Exporter {
  /** What it does, for whoever starts the service. */
  readonly announcement: string;
  /** Undefined for one that others ask. */
  counts(): ExportCounts | undefined;
  close(): Promise<void>;
}

/** Starts the exporters that are configured; those that are not cost no memory. @throws ListenError */
export async function startExporters(config: Config, exported: Exported): Promise<Exporter[]> {
  const exporters: Exporter[] = [];
  const { exportInterval, otlpEndpoint, jsonFile, prometheusListen } = config;
  if (prometheusListen !== undefined) {
    const { startPrometheus } = await import("./prometheus/server.js");
    exporters.push(await startPrometheus(prometheusListen, config.prometheusGroups, exported));
  }
  if (otlpEndpoint !== undefined) {
    const { startOtlp } = await import("./otlp/start.js");
    const target = { endpoint: otlpEndpoint, ca: config.otlpCa, groups: config.otlpGroups };
    exporters.push(await startOtlp(target, exportInterval, exported));
  }
  if (jsonFile !== undefined) {
    const { startJsonLines } = await import("./json-lines.js");
    const file = { path: jsonFile, maxBytes: config.jsonFileBytes, keep: config.jsonFiles };
    exporters.push(startJsonLines(file, exportInterval, exported));
  }
  return exporters;
}
