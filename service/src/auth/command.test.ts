import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { authCommand } from "./command.js";

let folder: string;
let out: string;
let err: string;

const files = {
  policy: `
rules:
  - name: payments
    principals: [{ uri: "spiffe://prod/ns/pay/*" }, { uid: 7 }, { claims: { groups: pay } }]
    role: operator
    targets: { cidrs: [10.0.0.0/8], interfaces: [eth*], metrics: [tcp_rtt, tcp_first_byte], binaries: [/usr/bin/*] }
    redaction: { ipv4-prefix-length: 24, ipv6-prefix-length: 48, comm: true }
  - { name: readers, principals: [{ insecure: true }, { dns: "*.example" }], role: viewer, targets: all }
`,
  broken: "rules:\n  - name: a\n",
  tcp: '{"probes":[{"tcp":{}}]}',
  dns: '{"probes":[{"dns":{}},{"userFunction":{"binary":"/sbin/x","symbol":"main"}}]}',
  typo: '{"probes":[{"tcp":{}}],"intefaces":["eth0"]}',
  hers: '{"name":"sessions/hers","owner":"uid:8","effectiveSpec":{"probes":[{"tcp":{}}]}}',
  own: '{"name":"sessions/own","owner":"uid:7","spec":{"probes":[{"tcp":{}}]}}',
  hidden: '{"name":"sessions/hidden","owner":"uid:8","spec":{"probes":[{"dns":{}}]}}',
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "latscope-"));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  out = err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((out += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((err += String(text)), true));
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function check(...args: string[]): Promise<typeof process.exitCode> {
  const named = args.map((arg) => (arg in files ? join(folder, arg) : arg));
  await authCommand().parseAsync(["check", ...named], { from: "user" });
  return process.exitCode;
}

it("explains what is allowed, and what is left of it", async () => {
  const who = ["--policy", "policy", "--uri", "spiffe://prod/ns/pay/web"];
  expect(await check(...who, "--method", "CreateSession", "--spec", "tcp")).toBe(0);
  expect(out).toBe(
    "allowed: spiffe://prod/ns/pay/web calling latscope.v1.SessionService/CreateSession\n" +
      '  rule "payments" gives the role operator\n' +
      "  narrowed to tcp_rtt, tcp_first_byte: with an end in 10.0.0.0/8; at eth*\n" +
      "  held back: addresses beyond /24 and /48, names of tasks\n",
  );
});

it("says what is denied, and why, in JSON too", async () => {
  const who = ["--policy", "policy", "--subject", "bob", "--claim", 'groups=["pay"]'];
  expect(await check(...who, "--method", "CreateSession", "--spec", "dns")).toBe(1);
  expect(out).toBe(
    "denied: token:bob calling latscope.v1.SessionService/CreateSession\n" +
      '  rule "payments" gives the role operator\n' +
      '  TARGET_DENIED: spec.probes[0]: dns_reply is not among the allowed metrics (rule "payments")\n' +
      "  spec.probes[1]: user_function is not among the allowed metrics\n" +
      '  spec.probes[1].user_function.binary: the binary "/sbin/x" is not allowed\n',
  );
  out = "";
  expect(await check(...who, "--json", "--method", "StreamSamples", "--spec", "dns")).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    allowed: false,
    principal: "token:bob",
    method: "latscope.v1.SampleService/StreamSamples",
    role: "operator",
    rule: "payments",
    reason: "TARGET_DENIED",
    violations: [
      { field: "spec.probes[0]" },
      { field: "spec.probes[1]" },
      { field: "spec.probes[1].user_function.binary" },
    ],
  });
});

it.each([
  [["--uid", "7", "--method", "GetSession", "--session", "hers"], 0, "narrowed to tcp_rtt"],
  [["--uid", "7", "--method", "StopSession", "--session", "hers"], 1, "NOT_OWNER"],
  [["--uid", "7", "--method", "StopSession", "--session", "own"], 0, "allowed"],
  [["--uid", "7", "--method", "GetSession", "--session", "hidden"], 1, "SESSION_NOT_FOUND"],
  [["--insecure", "--method", "GetSession", "--session", "hidden"], 0, "nothing is narrowed"],
  [["--insecure", "--method", "CreateSession"], 1, "ROLE_MISSING"],
  [["--dns", "a.example", "--method", "StreamSamples", "--spec", "tcp"], 1, "ROLE_MISSING"],
  [["--uid", "9", "--gid", "9", "--method", "GetStatus"], 1, "RULE_MISSING"],
  [["--uid", "9", "--method", "grpc.health.v1.Health/Check"], 0, "allowed"],
])("decides %j", async (args, code, text) => {
  expect([await check("--policy", "policy", ...args), out]).toEqual([code, expect.stringContaining(text)]);
});

it("knows what holds without a policy file", async () => {
  expect(await check("--uid", "0", "--method", "DeleteSession")).toBe(0);
  expect(out).toContain('rule "default: root" gives the role admin');
  expect(await check("--dns", "a", "--method", "GetStatus")).toBe(1);
});

it.each([
  [["--policy", "policy", "--method", "GetStatus"], "say who asks"],
  [["--policy", "policy", "--uid", "1", "--subject", "a", "--method", "GetStatus"], "say who asks"],
  [["--policy", "policy", "--gid", "1", "--method", "GetStatus"], "say who asks"],
  [["--policy", "broken", "--uid", "1", "--method", "GetStatus"], "broken:2: rules[0]"],
  [["--policy", "/nowhere", "--uid", "1", "--method", "GetStatus"], "/nowhere: "],
  [["--policy", "policy", "--uid", "1", "--method", "ServerReflectionInfo"], "grpc.reflection.v1alpha."],
  [["--policy", "policy", "--uid", "1", "--method", "Nothing"], '"Nothing" is none of the methods'],
  [["--policy", "policy", "--uid", "1", "--method", "CreateSession", "--spec", "typo"], "intefaces"],
])("refuses %j", async (args, message) => {
  expect([await check(...args), err]).toEqual([2, expect.stringContaining(message)]);
});
