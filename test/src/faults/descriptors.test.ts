import { expect, test } from "vitest";

import { bpfObjectsOf } from "../harness/bpf.js";
import { Client } from "../harness/client.js";
import { output } from "../harness/command.js";
import { eventually } from "../harness/eventually.js";
import { failureOf } from "../harness/failure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { stage } from "../harness/stage.js";
import { openFiles } from "../harness/usage.js";
import { openBytes } from "./bytes.js";
import { answering, Witness } from "./witness.js";

const scope = scopeOfEachTest();

/** Sets how many files a process may have open. */
async function allow(pid: number, files: number): Promise<void> {
  await output(["prlimit", "--pid", String(pid), `--nofile=${String(files)}:`]);
}

test("a service out of file descriptors refuses what needs one, goes on with what it has, and recovers", async () => {
  const cast = await answering(await stage(scope));
  const { service } = cast;
  const { pid } = service.process;
  const witness = await Witness.start(cast);
  await witness.sees();
  const before = await bpfObjectsOf(pid);

  await allow(pid, (await openFiles(pid)) + 4);
  const spec = { probes: [{ blockIo: {} }] };
  const refused = await failureOf(service.client.create(spec));
  expect(refused).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    reason: "CAPACITY_EXHAUSTED",
    quotas: ["file descriptors"],
  });
  expect(refused.message).toContain("LimitNOFILE=");
  expect(await bpfObjectsOf(pid)).toEqual(before);

  const sockets = await Promise.all(Array.from({ length: 8 }, () => openBytes(scope, { path: service.socket })));
  await eventually("some are closed at once", () => sockets.some(({ destroyed }) => destroyed));
  const late = new Client(scope, `unix:${service.socket}`);
  await expect(late.serving(500)).rejects.toThrow();
  await witness.sees();

  for (const socket of sockets) socket.destroy();
  await late.serving();
  await allow(pid, 4096);
  await late.create(spec);
  await witness.sees();
  await witness.settle();
});
