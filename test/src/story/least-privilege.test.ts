import { Metric, type GetCapabilitiesResponse } from "@latscope/proto";
import { chmod, chown } from "node:fs/promises";
import { dirname, join } from "node:path";

import { beforeAll, afterAll, describe, expect, test } from "vitest";

import { Client, unary } from "../harness/client.js";
import { output } from "../harness/command.js";
import { LineProcess } from "../harness/lines.js";
import { Namespace } from "../harness/netns.js";
import { inRepository } from "../harness/paths.js";
import { Scope, scopeOfEachTest } from "../harness/scope.js";
import { Service, temporaryFolder } from "../harness/service.js";
import { capabilityMask, threadStatus, valuesOf } from "../harness/threads.js";

const BPF = 39;
const PERFMON = 38;
const NET_ADMIN = 12;
const THREE = ["bpf", "perfmon", "net_admin"];

/** Nobody's. */
const USER = 65_532;

/** What takes more than the three; the kernels differ in what they ask for (docs/security.md). */
const BEYOND = new Set([Metric.USER_FUNCTION, Metric.TRACEPOINT_PAIR]);

describe("a service of a user of its own", () => {
  const whole = new Scope();
  const scope = scopeOfEachTest();
  let installed = "";

  // The repository may be nothing that this user can read; what is installed is.
  beforeAll(async () => {
    installed = await temporaryFolder(whole);
    await chmod(installed, 0o755);
    await output([inRepository("deploy/debian/stage.sh"), installed], { timeoutMs: 50_000 });
  });
  afterAll(() => whole.close());

  async function start(capabilities: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    const folder = await temporaryFolder(scope);
    await chown(folder, USER, USER);
    const socket = join(folder, "latscope.sock");
    const namespace = await Namespace.create(scope);
    const set = ["-all", ...capabilities.map((name) => `+${name}`)].join(",");
    const as = ["--reuid", String(USER), "--regid", String(USER), "--clear-groups"];
    const sets = ["--inh-caps", set, "--ambient-caps", set, "--bounding-set", set];
    const serve = [join(installed, "usr/bin/latscope"), "serve", "--socket", socket, "--audit", "off"];
    const command = ["setpriv", ...as, ...sets, "--", ...serve];
    const service = new LineProcess(scope, namespace.wrap(command), env);
    await service.lineWhere((line) => line.includes("listening on"));
    return { service, client: new Client(scope, `unix:${socket}`) };
  }

  /** The metrics that cannot be had for want of a capability, and which ones that takes. */
  async function lacking(client: Client): Promise<Map<Metric, string[]>> {
    const { nodes } = await unary<GetCapabilitiesResponse>((answer) =>
      client.nodes.getCapabilities({ nodes: undefined }, answer),
    );
    const found = (nodes[0]?.capabilities ?? []).flatMap(({ metric, reason }): [Metric, string[]][] => {
      const [, names] = /the service lacks ([A-Z_, ]+):/.exec(reason) ?? [];
      return names === undefined ? [] : [[metric, names.split(", ")]];
    });
    return new Map(found);
  }

  test("runs with three capabilities in every thread, and nothing to come by more", async () => {
    const { service, client } = await start(THREE);
    await client.create({ probes: [{ tcp: {} }, { socket: {} }, { runQueue: {} }] });
    const threads = await threadStatus(service.pid);
    expect(threads.length).toBeGreaterThan(1);
    const three = capabilityMask(BPF, PERFMON, NET_ADMIN);
    expect(valuesOf(threads, "CapPrm")).toEqual([three]);
    expect(valuesOf(threads, "CapEff")).toEqual([three]);
    expect(valuesOf(threads, "NoNewPrivs")).toEqual(["1"]);
    expect(valuesOf(threads, "Uid")).toEqual([String(USER)]);
  });

  test("has every metric but a few with these three, and those with what they say they lack", async () => {
    const { client } = await start(THREE);
    const missing = await lacking(client);
    for (const metric of missing.keys()) expect(BEYOND).toContain(metric);
    const named = new Set([...missing.values()].flat());
    const rest = [...named, "CAP_DAC_READ_SEARCH"].map((name) => name.replace("CAP_", "").toLowerCase());
    const { client: other } = await start([...THREE, ...new Set(rest)]);
    expect(await lacking(other)).toEqual(new Map());
  });

  test("without CAP_NET_ADMIN has what tasks and functions show", async () => {
    const { client } = await start(["bpf", "perfmon"]);
    const missing = await lacking(client);
    expect(missing.get(Metric.TCP_RTT)).toEqual(["CAP_NET_ADMIN"]);
    expect(missing.get(Metric.SOCKET_RTT)).toEqual(["CAP_NET_ADMIN"]);
    expect(missing.has(Metric.RUN_QUEUE)).toBe(false);
  });

  test("tells its supervisor that it serves, lives, reads its files again and ends", async () => {
    // By a path: abstract names end at the network namespace.
    const at = join(await temporaryFolder(scope), "notify");
    await chmod(dirname(at), 0o755);
    const supervisor = new LineProcess(scope, ["python3", "-c", receiver, at]);
    expect(await supervisor.line()).toBe("listening");
    const { service } = await start(THREE, { ...process.env, NOTIFY_SOCKET: at, WATCHDOG_USEC: "200000" });
    expect(await supervisor.line()).toBe("READY=1");
    expect(await supervisor.line()).toBe("WATCHDOG=1");
    service.kill("SIGHUP");
    await supervisor.lineWhere((line) => /^RELOADING=1 MONOTONIC_USEC=\d+$/.test(line));
    await supervisor.lineWhere((line) => line === "READY=1");
    service.kill("SIGTERM");
    await supervisor.lineWhere((line) => line === "STOPPING=1");
    expect(await service.exit).toEqual({ code: 0, signal: null });
  });
});

/** Prints what it is told on its socket, which is open to everybody, a message a line. */
const receiver = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
print("listening", flush=True)
while True:
    print(s.recv(4096).decode().strip().replace("\\n", " "), flush=True)
`;

describe("a service that root starts", () => {
  const scope = scopeOfEachTest();

  test("gives up what no metric needs, in every thread", async () => {
    const service = await Service.start(scope, await Namespace.create(scope));
    const threads = await threadStatus(service.process.pid);
    const DAC_READ_SEARCH = 2;
    const SYS_PTRACE = 19;
    const SYS_ADMIN = 21;
    const kept = capabilityMask(BPF, PERFMON, NET_ADMIN, DAC_READ_SEARCH, SYS_PTRACE, SYS_ADMIN);
    expect(valuesOf(threads, "CapPrm")).toEqual([kept]);
    expect(valuesOf(threads, "CapBnd")).toEqual([capabilityMask()]);
    expect(valuesOf(threads, "NoNewPrivs")).toEqual(["1"]);
  });

  test("keeps what its listeners need", async () => {
    const flags = ["--health-listen", "127.0.0.1:80"];
    const service = await Service.start(scope, await Namespace.create(scope), { flags });
    const [thread] = await threadStatus(service.process.pid);
    const NET_BIND_SERVICE = 10n;
    expect(BigInt(`0x${thread?.get("CapEff") ?? "0"}`) & (1n << NET_BIND_SERVICE)).not.toBe(0n);
  });
});
