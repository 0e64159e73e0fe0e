import { Filter, type Metric, type SessionSpec } from "@latscope/proto";
import { posix } from "node:path";
import type { Forbidden } from "./denial.js";
import { globMatches } from "./glob.js";
import { classOf, metrics, yieldsOf, type MetricClass } from "./metric.js";
import { forbiddenOfProbe, whyNot } from "./probe.js";

/** What of its kind is allowed: everything, or what is listed; an empty list allows nothing. */
export type Granted<T> = "all" | readonly T[];

/** What a principal may measure and see. */
export interface Targets {
  readonly metrics: Granted<Metric>;
  /** Flows with one end, or both, in these ranges. */
  readonly cidrs: Granted<string>;
  /** Names and globs, as the collector reads them. */
  readonly interfaces: Granted<string>;
  /** Globs of paths; `own` is the service's own. */
  readonly networkNamespaces: Granted<string>;
  /** Each with everything below it. */
  readonly cgroups: Granted<string>;
  /** Globs of paths of programs and libraries, or names of libraries as probes give them. */
  readonly binaries: Granted<string>;
  /** Globs of functions of those, and of USDT probes as `provider:name`. */
  readonly symbols: Granted<string>;
  readonly kernelSymbols: Granted<string>;
  /** Globs of `category:name`. */
  readonly tracepoints: Granted<string>;
}

export const everything: Targets = {
  metrics: "all",
  cidrs: "all",
  interfaces: "all",
  networkNamespaces: "all",
  cgroups: "all",
  binaries: "all",
  symbols: "all",
  kernelSymbols: "all",
  tracepoints: "all",
};

/** The service's own network namespace, as a policy names it. */
const ownNamespace = "own";

/** Whether nothing is held back. */
function isEverything(targets: Targets): boolean {
  return Object.values(targets).every((granted) => granted === "all");
}

/** Everything that a spec names and targets do not allow, by its path in the spec. */
export function forbiddenOf({ probes, networkNamespaces }: SessionSpec, targets: Targets): Forbidden[] {
  const ofProbes = probes.flatMap((probe, index) =>
    forbiddenOfProbe(probe, targets).map(({ field, description }) => ({
      field: field === "" ? `probes[${index}]` : `probes[${index}].${field}`,
      description,
    })),
  );
  const ofPackets = probes.flatMap(yieldsOf).some(({ metric }) => classOf(metric) === "packet");
  return ofPackets ? [...ofProbes, ...forbiddenNamespaces(networkNamespaces, targets)] : ofProbes;
}

/**
 * The targets as the collector takes them, for a session: one clause for each class of metrics, OR between them.
 *
 * @param spec of the session: what its probes name and its namespaces must be allowed, else their metrics are not
 * @returns undefined = everything; an empty list = nothing
 */
export function clausesOf(targets: Targets, spec: SessionSpec): Filter[] | undefined {
  if (isEverything(targets)) return undefined;
  const hidden = hiddenMetrics(spec, targets);
  const allowed = metrics.filter((metric) => !hidden.has(metric) && whyNot(metric, targets) === undefined);
  return (["packet", "socket", "task", "host"] as const).flatMap((of) => {
    const own = allowed.filter((metric) => classOf(metric) === of);
    return own.length === 0 ? [] : [Filter.fromPartial({ ...conditionOf(targets, of), metrics: own })];
  });
}

/** Metrics that a session measures, at least in part, of what is not allowed. */
function hiddenMetrics(spec: SessionSpec, targets: Targets): Set<Metric> {
  const hidden = spec.probes.flatMap((probe) => {
    const { length } = forbiddenOfProbe(probe, targets).filter(({ field }) => !/^(tcp|socket)\.metrics/.test(field));
    return length === 0 ? [] : yieldsOf(probe).map(({ metric }) => metric);
  });
  const packets = metrics.filter((metric) => classOf(metric) === "packet");
  return new Set([...hidden, ...(forbiddenNamespaces(spec.networkNamespaces, targets).length === 0 ? [] : packets)]);
}

/** What every latency of a class must be of. */
function conditionOf(targets: Targets, of: MetricClass): Partial<Pick<Filter, "cidrs" | "cgroupPaths" | "interfaces">> {
  const listed = (granted: Granted<string>): string[] => (granted === "all" ? [] : [...granted]);
  const cidrs = listed(targets.cidrs);
  const cgroupPaths = listed(targets.cgroups);
  switch (of) {
    case "packet":
      return { cidrs, interfaces: listed(targets.interfaces) };
    case "socket":
      return { cidrs, cgroupPaths };
    case "task":
      return { cgroupPaths };
    case "host":
      return {};
  }
}

function forbiddenNamespaces(asked: readonly string[], { networkNamespaces: granted }: Targets): Forbidden[] {
  if (granted === "all") return [];
  if (asked.length === 0) {
    if (granted.includes(ownNamespace)) return [];
    return [{ field: "network_namespaces", description: "the service's own is not allowed; name others" }];
  }
  return asked.flatMap((name, index) => {
    // A process can be in any namespace, and a path with detours leads anywhere.
    const straight = name.startsWith("/") && posix.normalize(name) === name;
    if (straight && granted.some((pattern) => globMatches(pattern, name, "/"))) return [];
    return [{ field: `network_namespaces[${index}]`, description: `${JSON.stringify(name)} is not allowed` }];
  });
}
