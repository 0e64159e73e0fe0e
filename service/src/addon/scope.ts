import { Filter, Redaction } from "@latscope/proto";
import type { RedactionRule } from "../auth/policy/schema.js";
import type { Scope } from "../auth/policy/scope.js";
import type { ReaderScope } from "./types.js";

/** A scope as it crosses to the collector. */
export function encodeScope({ principal, targets, redaction }: Scope): ReaderScope {
  const scope: ReaderScope = { principal };
  if (targets !== undefined) scope.targets = targets.map((target) => Buffer.from(Filter.encode(target).finish()));
  if (redaction !== undefined) scope.redaction = Buffer.from(Redaction.encode(redactionOf(redaction)).finish());
  return scope;
}

function redactionOf(rule: RedactionRule): Redaction {
  const { ipv4PrefixLength, ipv6PrefixLength, ports, comm, dnsNames, cgroup, pid } = rule;
  return {
    ipv4PrefixLength,
    ipv6PrefixLength,
    ports: ports ?? false,
    comm: comm ?? false,
    dnsNames: dnsNames ?? false,
    cgroup: cgroup ?? false,
    pid: pid ?? false,
  };
}
