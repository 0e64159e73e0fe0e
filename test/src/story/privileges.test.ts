import { stat } from "node:fs/promises";

import { describe, expect, test } from "vitest";

import { SessionState } from "@latscope/proto";

import { ALL_TCP } from "../harness/client.js";
import { Namespace } from "../harness/netns.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { LATSCOPE, Service, temporaryFolder } from "../harness/service.js";

describe("latscope serve without a capability it needs", () => {
  const scope = scopeOfEachTest();

  // CAP_SYS_ADMIN stands for each of them where a program is loaded, so it goes along.
  test.each([
    ["CAP_BPF", "-bpf,-sys_admin"],
    ["CAP_PERFMON", "-perfmon,-sys_admin"],
  ])("%s: one sentence that names it", async (capability, dropped) => {
    const namespace = await Namespace.create(scope);
    const socket = `${await temporaryFolder(scope)}/latscope.sock`;
    const { code, stdout, stderr } = await namespace.run([
      ...["setpriv", `--bounding-set=${dropped}`, "--"],
      ...[...LATSCOPE, "serve", "--socket", socket],
    ]);
    expect(code).toBe(1);
    const lines = (stdout + stderr).trim().split("\n");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(capability);
  });

  test("CAP_NET_ADMIN: what needs it is refused by its name, the rest is served", async () => {
    const namespace = await Namespace.create(scope);
    const { client } = await Service.start(scope, namespace, { without: "-net_admin,-sys_admin" });
    const refused = await client.create(ALL_TCP).then(
      () => null,
      (error: unknown) => String(error),
    );
    expect(refused).toContain("FAILED_PRECONDITION");
    expect(refused).toContain("CAP_NET_ADMIN");
    const { state } = await client.create({ probes: [{ runQueue: {} }] });
    expect(state).toBe(SessionState.RUNNING);
  });

  // Root without capabilities rather than nobody, who may not be able to read the repository.
  test("with none: one sentence that names them all", async () => {
    const namespace = await Namespace.create(scope);
    const socket = `${await temporaryFolder(scope)}/latscope.sock`;
    const { code, stdout, stderr } = await namespace.run([
      ...["setpriv", "--bounding-set=-all", "--"],
      ...[...LATSCOPE, "serve", "--socket", socket],
    ]);
    expect(code).toBe(1);
    const lines = (stdout + stderr).trim().split("\n");
    expect(lines).toHaveLength(1);
    for (const capability of ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"]) expect(lines[0]).toContain(capability);
  });
});

describe("latscope serve", () => {
  const scope = scopeOfEachTest();

  test("lets nobody but its owner and group at the socket", async () => {
    const service = await Service.start(scope, await Namespace.create(scope));
    const { mode, uid } = await stat(service.socket);
    expect(mode & 0o777).toBe(0o660);
    expect(uid).toBe(0);
  });
});
