import type { Metric, Probe, UserFunctionProbe } from "@latscope/proto";
import { posix } from "node:path";
import type { Forbidden } from "./denial.js";
import { globMatches } from "./glob.js";
import { asksForAll, classOf, metricName, yieldsOf } from "./metric.js";
import type { Granted, Targets } from "./targets.js";

/** Everything of a probe that targets do not allow, by its path in the probe (empty = the probe itself). */
export function forbiddenOfProbe(probe: Probe, targets: Targets): Forbidden[] {
  const yields = yieldsOf(probe);
  const metrics = yields.flatMap(({ metric, field }) => {
    const description = whyNot(metric, targets);
    return description === undefined ? [] : [{ field, description }];
  });
  // Who asks for all of a kind gets all that are allowed.
  const [first] = metrics;
  const named = !asksForAll(probe) ? metrics : metrics.length < yields.length || first === undefined ? [] : [first];
  return [...named, ...forbiddenSubjects(probe, targets)];
}

/** Why a metric may not be measured anywhere, if so. */
export function whyNot(metric: Metric, { metrics, cidrs, interfaces, cgroups }: Targets): string | undefined {
  const name = metricName(metric);
  if (metrics !== "all" && !metrics.includes(metric)) return `${name} is not among the allowed metrics`;
  const of = classOf(metric);
  if ((of === "packet" || of === "socket") && cidrs.length === 0) return `${name} needs allowed cidrs`;
  if (of === "packet" && interfaces.length === 0) return `${name} needs allowed interfaces`;
  if ((of === "socket" || of === "task") && cgroups.length === 0) return `${name} needs allowed cgroups`;
  if (of === "host" && cgroups !== "all")
    return `${name} is of the host as a whole, and needs all cgroups to be allowed`;
  return undefined;
}

function forbiddenSubjects({ kind }: Probe, targets: Targets): Forbidden[] {
  switch (kind?.$case) {
    case "userFunction":
      return forbiddenOfBinary(kind.value, targets);
    case "kernelFunction": {
      const { symbol } = kind.value;
      const allowed = isGranted(targets.kernelSymbols, symbol);
      return allowed ? [] : [notAllowed("kernel_function.symbol", "kernel function", symbol)];
    }
    case "tracepointPair": {
      const { start, end } = kind.value;
      return Object.entries({ start, end })
        .filter(([, name]) => !isGranted(targets.tracepoints, name))
        .map(([side, name]) => notAllowed(`tracepoint_pair.${side}`, "tracepoint", name));
    }
    default:
      return [];
  }
}

function forbiddenOfBinary({ binary, target, pid }: UserFunctionProbe, { binaries, symbols }: Targets): Forbidden[] {
  const forbidden: Forbidden[] = [];
  if (binaries !== "all") {
    // A path with detours can lead anywhere.
    const straight = !binary.includes("/") || (binary.startsWith("/") && posix.normalize(binary) === binary);
    if (!straight || !isGranted(binaries, binary, "/")) {
      forbidden.push(notAllowed("user_function.binary", "binary", binary));
    }
    if (pid !== 0) {
      const description = "another process's paths are its own; it needs all binaries to be allowed";
      forbidden.push({ field: "user_function.pid", description });
    }
  }
  switch (target?.$case) {
    case "symbol":
      if (!isGranted(symbols, target.value)) {
        forbidden.push(notAllowed("user_function.symbol", "symbol", target.value));
      }
      break;
    case "usdt": {
      const { provider, start, end } = target.value;
      for (const [side, name] of Object.entries({ start, end })) {
        if (isGranted(symbols, `${provider}:${name}`)) continue;
        forbidden.push(notAllowed(`user_function.usdt.${side}`, "USDT probe", `${provider}:${name}`));
      }
      break;
    }
    case undefined:
      break;
  }
  return forbidden;
}

function isGranted(granted: Granted<string>, name: string, separator?: string): boolean {
  return granted === "all" || granted.some((pattern) => globMatches(pattern, name, separator));
}

function notAllowed(field: string, what: string, name: string): Forbidden {
  return { field, description: `the ${what} ${JSON.stringify(name)} is not allowed` };
}
