import { truncate } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { run } from "../harness/command.js";
import { eventually } from "../harness/eventually.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { smallDisk } from "../harness/small-disk.js";
import { stage } from "../harness/stage.js";
import { answering, HANDSHAKES, Witness } from "./witness.js";

const scope = scopeOfEachTest();

test("a full disk under audit, state and exported lines holds nothing up, and is caught up with", async () => {
  const cast = await answering(await stage(scope));
  // What is asked of the service meanwhile leaves lines, too.
  const disk = await smallDisk(scope, "4m");
  const filler = join(disk, "filler");
  const flags = [
    ...["--audit", join(disk, "audit.log"), "--state-dir", join(disk, "state")],
    ...["--json-file", join(disk, "lines.json"), "--export-interval", "100ms"],
  ];
  const service = await Service.start(scope, cast.network.client, { flags });
  const { client } = service;
  const failing = async (): Promise<boolean[]> => {
    const { audit, sessionState, exporters } = await client.status();
    return [audit?.failing, sessionState?.failing, exporters[0]?.failing].map((text) => text !== "");
  };
  const witness = await Witness.start(cast, service);
  await witness.sees();
  await run(["dd", "if=/dev/zero", `of=${filler}`, "bs=1k"]);
  const made = await client.create(HANDSHAKES, "made");
  await eventually("all three fail", async () => {
    await witness.sees();
    return (await failing()).every((fails) => fails);
  });
  await witness.sees();

  await truncate(filler, 0);
  await eventually("none fails", async () => (await failing()).every((fails) => !fails), 20_000);
  expect((await client.status()).audit).toMatchObject({ lost: 0n });
  await witness.settle();
  const { stdout } = await run(["cat", join(disk, "state", "sessions.json")]);
  expect(stdout).toContain(made.name);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
});
