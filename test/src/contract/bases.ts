import type { Json } from "./build.js";

/** A session that is there while requests are refused. */
export const HELD = "sessions/held";

/** Each request as it is right, by method; what a row sets comes on top. */
export const bases: Readonly<Record<string, (spec: Json) => Json>> = {
  CreateSession: (spec) => ({ session: { spec } }),
  GetSession: () => ({ name: HELD }),
  ListSessions: () => ({}),
  UpdateSession: () => ({ session: { name: HELD }, updateMask: "displayName" }),
  StopSession: () => ({ name: HELD }),
  DeleteSession: () => ({ name: HELD }),
  WatchSessions: () => ({}),
  StreamSamples: (spec) => ({ spec }),
  StreamHistograms: (spec) => ({ spec }),
  GetSnapshot: () => ({ session: HELD }),
  GetCapabilities: () => ({}),
  GetStatus: () => ({}),
  ListNodes: () => ({}),
  WatchNodes: () => ({}),
};

/** What messages hold beside the field that is wrong, so that it is all that is wrong with them. */
export const neighbours: Readonly<Record<string, Json>> = {
  Probe: { tcp: {} },
  PortRange: { first: 10 },
  KernelFunctionProbe: { symbol: "vfs_read" },
  UserFunctionProbe: { binary: "/bin/true", symbol: "main" },
  UsdtPair: { provider: "p", start: "s", end: "e" },
  TracepointPairProbe: { start: "sched:a", end: "sched:b" },
  KeyField: { start: "pid" },
};

const live = ["display_name", "labels", "spec.filters", "spec.exclude", "spec.collection", "spec.limits"];

/** The mask with which an update reaches a path; undefined for what no update can change. */
export function maskFor(path: string): string | undefined {
  const inSession = path.replace(/^session\./, "").replaceAll("[0]", "");
  const found = live.find((mask) => inSession === mask || inSession.startsWith(`${mask}.`));
  return found?.replace("display_name", "displayName");
}
