import type { Config } from "../config/schema.js";
import type { Exported } from "./exported.js";

/** A way for numbers to leave, at work. */
export interface Exporter {
  /** What it does, for whoever starts the service. */
  readonly announcement: string;
  close(): Promise<void> | void;
}

/** Starts the exporters that are configured; those that are not cost no memory. @throws ListenError */
export async function startExporters(config: Config, exported: Exported): Promise<Exporter[]> {
  const { prometheusListen, prometheusGroups } = config;
  if (prometheusListen === undefined) return [];
  const { startPrometheus } = await import("./prometheus/server.js");
  return [await startPrometheus(prometheusListen, prometheusGroups, exported)];
}
