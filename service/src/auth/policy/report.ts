import { Filter } from "@latscope/proto";
import type { Explanation, Question } from "./explain.js";
import type { RedactionRule } from "./schema.js";
import { metricName } from "./metric.js";

/** An explanation for programs. */
export function explanationJson({ method, principal }: Question, explanation: Explanation): string {
  const { allowed, reason, message, violations, authority, scope } = explanation;
  return JSON.stringify({
    allowed,
    principal: principal.name,
    method: method.slice(1),
    role: authority?.role,
    rule: authority?.rule,
    reason,
    message,
    violations,
    narrowed_to: scope?.targets?.map((clause) => Filter.toJSON(clause)),
    redaction: scope?.redaction,
  });
}

/** An explanation for a person, in lines. */
export function explanationLines({ method, principal }: Question, explanation: Explanation): string[] {
  const { allowed, reason, message, violations, authority, scope } = explanation;
  const who = principal.name === "" ? "a plaintext caller" : principal.name;
  const verdict = `${allowed ? "allowed" : "denied"}: ${who} calling ${method.slice(1)}`;
  const by = authority === undefined ? [] : [`rule ${JSON.stringify(authority.rule)} gives the role ${authority.role}`];
  const why = reason === undefined ? [] : [`${reason}: ${message ?? ""}`];
  const more = violations.slice(1).map(({ field, description }) => `${field}: ${description}`);
  return [
    verdict,
    ...[...by, ...why, ...more, ...(scope === undefined ? [] : narrowing(scope.targets))].map(indented),
    ...redacted(scope?.redaction).map(indented),
  ];
}

function narrowing(targets: readonly Filter[] | undefined): string[] {
  if (targets === undefined) return ["nothing is narrowed"];
  return targets.map((clause) => {
    const { metrics, cidrs, interfaces, cgroupPaths } = clause;
    const conditions = [
      ["with an end in", cidrs],
      ["at", interfaces],
      ["in cgroups", cgroupPaths],
    ] as const;
    const said = conditions.filter(([, list]) => list.length > 0).map(([what, list]) => `${what} ${list.join(", ")}`);
    return `narrowed to ${metrics.map(metricName).join(", ")}${said.length === 0 ? "" : `: ${said.join("; ")}`}`;
  });
}

function redacted(redaction: RedactionRule | undefined): string[] {
  if (redaction === undefined) return [];
  const { ipv4PrefixLength: v4, ipv6PrefixLength: v6, ...flags } = redaction;
  const left = v4 === undefined || v6 === undefined ? [] : [`addresses beyond /${v4} and /${v6}`];
  const names = {
    ports: "ports",
    comm: "names of tasks",
    dnsNames: "DNS names",
    cgroup: "cgroups",
    pid: "process ids",
  };
  const hidden = (Object.keys(names) as (keyof typeof names)[])
    .filter((key) => flags[key] === true)
    .map((key) => names[key]);
  const all = [...left, ...hidden];
  return all.length === 0 ? [] : [`held back: ${all.join(", ")}`];
}

function indented(line: string): string {
  return `  ${line}`;
}
