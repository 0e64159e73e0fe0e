import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { latscope } from "../testing/command.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latscope-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe("latscope config check", () => {
  it("prints what the service would be run with, and where it is from", async () => {
    const path = join(folder, "config.yaml");
    await writeFile(path, "drain-timeout: 250ms\n");
    const result = await latscope(["config", "check", "--config", path, "--node", "a"], { LATSCOPE_MAX_SESSIONS: "7" });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const lines = result.stdout.split("\n").map((line) => line.replace(/ +#/, " #"));
    expect(lines).toEqual(
      expect.arrayContaining([
        `drain-timeout: 250ms # ${path}:1`,
        "node: a # --node",
        "max-sessions: 7 # LATSCOPE_MAX_SESSIONS",
      ]),
    );
  });

  it("names the line that is wrong, or the file that a listener cannot use", async () => {
    const path = join(folder, "config.yaml");
    await writeFile(path, "\nlog-levle: debug\n");
    expect(await latscope(["config", "check"], { LATSCOPE_CONFIG: path })).toMatchObject({
      code: 2,
      stdout: "",
      stderr: `latscope: ${path}:2: there is no option "log-levle"; did you mean "log-level"?\n`,
    });
    const cert = join(folder, "tls.crt");
    await writeFile(path, `listen: 0.0.0.0:1\ntls-cert: ${cert}\ntls-key: ${cert}\ntoken-file: ${cert}\n`);
    await writeFile(cert, "");
    expect(await latscope(["config", "check", "--config", path])).toMatchObject({
      code: 2,
      stderr: `latscope: 0.0.0.0:1: ${cert}: has no certificate in PEM\n`,
    });
  });
});

describe("latscope auth token", () => {
  it("makes a token and the line by which it is known", async () => {
    const { code, stdout } = await latscope(["auth", "token", "ci"]);
    expect(code).toBe(0);
    const [, token = "", line = ""] = /^ {2}(latscope_\S{43})$[^]*^ {2}(ci [0-9a-f]{64})$/m.exec(stdout) ?? [];
    expect(line).toBe(`ci ${createHash("sha256").update(token).digest("hex")}`);
  });

  it("refuses a name that no line could hold", async () => {
    expect(await latscope(["auth", "token", "a b"])).toMatchObject({ code: 2, stdout: "" });
  });
});
