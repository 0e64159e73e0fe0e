import { readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { ALL_TCP, type Client } from "../harness/client.js";
import { run } from "../harness/command.js";
import { eventually } from "../harness/eventually.js";
import { Namespace } from "../harness/netns.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service, temporaryFolder } from "../harness/service.js";
import { smallDisk } from "../harness/small-disk.js";

type Line = Readonly<Record<string, unknown>>;

async function lines(path: string): Promise<Line[]> {
  const text = await readFile(path, "utf8");
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

async function status(client: Client) {
  return (await client.status()).audit;
}

describe("the audit of a service", () => {
  const scope = scopeOfEachTest();

  test("has a line for each call, two for a stream, and is for its owner alone", async () => {
    const path = join(await temporaryFolder(scope), "audit.log");
    const service = await Service.start(scope, await Namespace.create(scope), { flags: ["--audit", path] });
    const { client } = service;
    const { name } = await client.create({ ...ALL_TCP, interfaces: ["lo"] });
    const stream = client.stream({ session: name });
    await stream.started();
    stream.cancel();
    await client.create({ ...ALL_TCP, interfaces: ["none"] }).catch(() => undefined);
    await service.stop();
    const told = (await lines(path)).filter(({ method }) => String(method).startsWith("latscope."));
    expect(told.map(({ event, method, session, status, reason }) => [event, method, session, status, reason])).toEqual(
      expect.arrayContaining([
        ["call", "latscope.v1.SessionService/CreateSession", name, "OK", ""],
        ["open", "latscope.v1.SampleService/StreamSamples", name, "", ""],
        ["call", "latscope.v1.SampleService/StreamSamples", name, "CANCELLED", ""],
        ["call", "latscope.v1.SessionService/CreateSession", "", "INVALID_ARGUMENT", "INTERFACE_UNKNOWN"],
      ]),
    );
    expect(told).toHaveLength(4);
    for (const { principal, peer } of told) expect([principal, peer]).toEqual(["uid:0", "unix"]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("does without a full disk for a while, says so once, and goes on with what is missing", async () => {
    const folder = await smallDisk(scope);
    const path = join(folder, "audit.log");
    const filler = join(folder, "filler");
    const service = await Service.start(scope, await Namespace.create(scope), { flags: ["--audit", path] });
    await run(["dd", "if=/dev/zero", `of=${filler}`, "bs=1k"]);
    // More than what is left of a page.
    for (let call = 0; call < 40; call += 1) await status(service.client);
    await service.process.stderrHas("cannot be written");
    expect(await status(service.client)).toMatchObject({ lost: 0n });
    expect((await status(service.client))?.failing).toContain("ENOSPC");
    await truncate(filler, 0);
    await eventually("the audit is written again", async () => (await status(service.client))?.failing === "");
    await service.stop();
    const told = await lines(path);
    const calls = told.filter(({ method }) => method === "latscope.v1.NodeService/GetStatus");
    expect(calls.length).toBeGreaterThanOrEqual(43);
    expect(service.process.stderr.match(/cannot be written/g)).toHaveLength(1);
    expect(service.process.stderr.match(/can be written again/g)).toHaveLength(1);
  });
});
