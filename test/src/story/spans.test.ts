import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { output } from "../harness/command.js";
import { LineProcess } from "../harness/lines.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import { LATSCOPE, temporaryFolder } from "../harness/service.js";
import { stage } from "../harness/stage.js";

interface Line {
  readonly metric: string;
  readonly pid: number;
  readonly comm: string;
  readonly subject: string;
  readonly result: number;
  readonly latency_ns: number;
}

/** A person's command against the whole service: what it prints of the first sample that `wanted` likes. */
async function first(
  scope: Scope,
  flags: readonly string[],
  act: () => Promise<void>,
  wanted: (line: Line) => boolean = () => true,
): Promise<Line> {
  const { service } = await stage(scope);
  const command = [...LATSCOPE, "stream", "--json", "--address", `unix:${service.socket}`, ...flags];
  const process = new LineProcess(scope, command);
  await process.stderrHas("watching");
  await act();
  for (;;) {
    const line = JSON.parse(await process.line()) as Line;
    if (wanted(line)) return line;
  }
}

/** Runs a command of the host, which must succeed. */
function run(command: string, ...args: string[]): Promise<void> {
  return new Promise((done, failed) => {
    spawn(command, args, { stdio: "ignore" })
      .on("error", failed)
      .on("exit", (code) => {
        if (code === 0) done();
        else failed(new Error(`${command} ended with ${String(code)}`));
      });
  });
}

describe("latscope stream of spans", () => {
  const scope = scopeOfEachTest();

  test("--syscall: a sleep of known length, by the name of its program", async () => {
    const line = await first(scope, ["--syscall", "clock_nanosleep", "--comm", "sleep"], () => run("sleep", "0.25"));
    expect(line).toMatchObject({ metric: "METRIC_SYSCALL", comm: "sleep", subject: "clock_nanosleep", result: 0 });
    expect(line.latency_ns).toBeGreaterThanOrEqual(250_000_000);
    expect(line.latency_ns).toBeLessThan(5_000_000_000);
  });

  test("--syscall openat", async () => {
    const line = await first(scope, ["--syscall", "openat", "--pid", String(process.pid)], async () => {
      await (await open("/dev/null")).close();
    });
    expect(line).toMatchObject({ metric: "METRIC_SYSCALL", pid: process.pid, subject: "openat", result: 0 });
  });

  test("--run-queue --comm: who waited", async () => {
    const line = await first(scope, ["--run-queue", "--comm", "sleep"], () => run("sleep", "0.05"));
    expect(line).toMatchObject({ metric: "METRIC_RUN_QUEUE", comm: "sleep" });
  });

  test("--run-queue --comm node: this very program waits for its turn", async () => {
    const line = await first(scope, ["--run-queue", "--comm", "node"], () => run("node", "--eval", "0"));
    expect(line).toMatchObject({ metric: "METRIC_RUN_QUEUE", comm: "node" });
    expect(line.latency_ns).toBeLessThan(5_000_000_000);
  });

  test("--block-io: a write to a device, by the name of the device and of who asked", async () => {
    const file = join(await temporaryFolder(scope), "disk");
    await output(["truncate", "--size", "1M", file]);
    const device = (await output(["losetup", "--find", "--show", file])).trim();
    scope.defer(async () => {
      await output(["losetup", "--detach", device]);
    });
    // The program itself may have to be read from another.
    const name = device.replace("/dev/", "");
    const line = await first(
      scope,
      ["--block-io", "--comm", "dd"],
      () => run("dd", "if=/dev/zero", `of=${device}`, "bs=4096", "count=1", "oflag=direct"),
      ({ subject }) => subject === name,
    );
    expect(line).toMatchObject({ metric: "METRIC_BLOCK_IO_DEVICE", comm: "dd", subject: name });
    expect(line.latency_ns).toBeGreaterThan(0);
    expect(line.latency_ns).toBeLessThan(5_000_000_000);
  });

  test("--user-function libc:getaddrinfo", async () => {
    const flags = ["--user-function", "libc:getaddrinfo", "--comm", "getent"];
    const line = await first(scope, flags, () => run("getent", "ahosts", "localhost"));
    expect(line).toMatchObject({ metric: "METRIC_USER_FUNCTION", comm: "getent", subject: "getaddrinfo" });
    expect(line.latency_ns).toBeGreaterThan(0);
  });
});
