import { Metric } from "@latscope/proto";
import { expect, it } from "vitest";
import { ConfigError } from "../../config/error.js";
import type { Principal } from "../principal.js";
import { parsePolicy } from "./parse.js";
import { everything } from "./targets.js";

const unix = (uid: number): Principal => ({ kind: "unix", name: `uid:${uid}`, uid, uris: [], dnsNames: [] });

const text = `
redaction:
  viewer: { ipv4-prefix-length: 24, ipv6-prefix-length: 48, comm: true }
rules:
  - name: root
    principals: [{ uid: 0 }]
    role: admin
    targets: all
  - name: payments
    principals:
      - uri: spiffe://prod.example/ns/payments/**
      - uid: 1000
    role: operator
    targets:
      metrics: [tcp_*, run_queue]
      cidrs: [10.20.0.0/16, "fd00::/8"]
      cgroups: [/payments.slice/]
      network-namespaces: [own, /run/netns/*]
      kernel-symbols: [tcp_*]
    redaction: { dns-names: true }
  - name: everybody
    principals: [{ uid: 1000 }, { uid: 1001 }]
    role: viewer
    targets: { cidrs: all, cgroups: [/a, /] }
`;

it("gives the first rule that names a principal", () => {
  const policy = parsePolicy("p.yaml", text);
  expect(policy.authorityOf(unix(0))).toMatchObject({
    role: "admin",
    rule: "root",
    targets: everything,
    redaction: undefined,
  });
  expect(policy.authorityOf(unix(1000))).toMatchObject({
    role: "operator",
    rule: "payments",
    targets: {
      metrics: [
        Metric.TCP_HANDSHAKE_REMOTE,
        Metric.TCP_HANDSHAKE_LOCAL,
        Metric.TCP_RTT,
        Metric.TCP_FIRST_BYTE,
        Metric.TCP_CONNECT_FAILURE,
        Metric.RUN_QUEUE,
      ],
      cidrs: ["10.20.0.0/16", "fd00::/8"],
      interfaces: "all",
      networkNamespaces: ["own", "/run/netns/*"],
      cgroups: ["/payments.slice"],
      binaries: [],
      symbols: "all",
      kernelSymbols: ["tcp_*"],
      tracepoints: [],
    },
    redaction: { dnsNames: true },
  });
  expect(policy.authorityOf(unix(1001))).toMatchObject({
    role: "viewer",
    targets: { cidrs: "all", cgroups: "all", metrics: "all" },
    redaction: { ipv4PrefixLength: 24, ipv6PrefixLength: 48, comm: true },
  });
});

it("gives nothing to whom no rule names, and files what they are", () => {
  const policy = parsePolicy("p.yaml", text);
  expect(policy.authorityOf(unix(1002))).toBeUndefined();
  expect(policy.authorityOf({ kind: "insecure", name: "", uris: [], dnsNames: [] })).toBeUndefined();
  expect(policy.authorityOf({ kind: "file", name: "file:a", uris: [], dnsNames: [] })).toMatchObject({ role: "admin" });
  expect(parsePolicy("p.yaml", "rules: []").authorityOf(unix(0))).toBeUndefined();
});

it("tells one authority from another", () => {
  const of = (file: string, uid: number) => parsePolicy("p.yaml", file).authorityOf(unix(uid))?.fingerprint;
  expect(of(text, 1000)).toBe(of(`# changed\n${text}`, 1000));
  expect(of(text, 1000)).not.toBe(of(text.replace("10.20.0.0/16", "10.21.0.0/16"), 1000));
  expect(of(text, 1001)).not.toBe(of(text.replace("comm: true", "comm: false"), 1001));
});

const rule = (changes: Record<string, string> = {}, more = ""): string => {
  const fields = { name: "a", principals: "[{ uid: 1 }]", role: "viewer", targets: "all", ...changes };
  const lines = Object.entries(fields).map(([key, value]) => `    ${key}: ${value}`);
  return `rules:\n  -\n${lines.join("\n")}\n${more}`;
};

it.each([
  ["", "p.yaml:1: "],
  ["rules: [", "p.yaml:1: "],
  ["rules: []\nrules: []", "p.yaml:2: "],
  [rule({ role: "owner" }), "p.yaml:5: rules[0].role: "],
  [rule({ principals: "[]" }), "p.yaml:4: rules[0].principals: "],
  [rule({ principals: "[{}]" }), "p.yaml:4: rules[0].principals[0]: names nobody"],
  [rule({ principals: "[{ user: x }]" }), 'p.yaml:4: rules[0].principals[0]: there is no "user" here'],
  [rule({ principals: "[{ uid: -1 }]" }), "p.yaml:4: rules[0].principals[0].uid: "],
  [rule({ targets: "none" }), 'p.yaml:6: rules[0].targets: is neither "all" nor'],
  [rule({ targets: "{ cidrs: 10.0.0.0/8 }" }), 'p.yaml:6: rules[0].targets.cidrs: is neither "all" nor a list'],
  [
    rule({ targets: "\n      metrics: all\n      cidrs:\n        - 10.0.0.0/8\n        - 10.0.0.0/33" }),
    "p.yaml:10: rules[0].targets.cidrs[1]: is not a CIDR",
  ],
  [rule({ targets: "{ cidrs: [] }" }), "p.yaml:6: rules[0].targets.cidrs: "],
  [rule({ targets: "{ metrics: [tcp_rrt] }" }), 'p.yaml:6: rules[0].targets.metrics[0]: "tcp_rrt" is no metric'],
  [rule({ targets: "{ cgroups: [/a/../b] }" }), "p.yaml:6: rules[0].targets.cgroups[0]: is not a cgroup path"],
  [rule({ targets: "{ networkNamespaces: all }" }), 'p.yaml:6: rules[0].targets: there is no "networkNamespaces" here'],
  [
    rule({ targets: "{ tracepoints: [sched_switch] }" }),
    "p.yaml:6: rules[0].targets.tracepoints[0]: is not category:name",
  ],
  [rule({}, "    redaction: { ipv4-prefix-length: 24 }"), "p.yaml:7: rules[0].redaction: ipv4-prefix-length and"],
  [
    rule({}, "    redaction: { ipv4-prefix-length: 33, ipv6-prefix-length: 48 }"),
    "p.yaml:7: rules[0].redaction.ipv4-prefix-length: ",
  ],
  [`${rule()}${rule().replace("rules:\n", "")}`, 'p.yaml:8: rules[1].name: there is a rule "a" already'],
])("refuses %j with the line", (file, message) => {
  expect(() => parsePolicy("p.yaml", file)).toThrow(ConfigError);
  expect(() => parsePolicy("p.yaml", file)).toThrow(message);
});

it("names every line that is wrong", () => {
  const file = rule({ role: "owner", targets: "none" });
  expect(() => parsePolicy("p.yaml", file)).toThrow(/^p\.yaml:5: .*\np\.yaml:6: [^\n]*$/);
});
