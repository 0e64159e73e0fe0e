import { appendFile, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RotatingFile } from "./rotating-file.js";

let folder = "";
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), "latscope-"))));
afterEach(() => rm(folder, { recursive: true }));

const path = (name: string): string => join(folder, name);
const file = (options: Partial<ConstructorParameters<typeof RotatingFile>[0]> = {}): RotatingFile =>
  new RotatingFile({ path: path("log"), maxBytes: 10, keep: 2, compress: false, mode: 0o600, ...options });

describe("a file of lines", () => {
  it("is made with its folder, for its owner alone, and goes on where it was", async () => {
    const one = file({ path: path("deep/log"), maxBytes: 100 });
    await one.write(["a\n", "b\n"]);
    await one.close();
    const other = file({ path: path("deep/log"), maxBytes: 100 });
    await other.write(["c\n"]);
    await other.close();
    expect(await readFile(path("deep/log"), "utf8")).toBe("a\nb\nc\n");
    expect((await stat(path("deep/log"))).mode & 0o777).toBe(0o600);
  });

  it("is put aside before it gets too large, and the oldest goes", async () => {
    const log = file();
    for (const line of ["1234567\n", "2345678\n", "3456789\n", "4567890\n"]) await log.write([line]);
    await log.close();
    expect((await readdir(folder)).sort()).toEqual(["log", "log.1", "log.2"]);
    const contents = ["log", "log.1", "log.2"].map((name) => readFile(path(name), "utf8"));
    expect(await Promise.all(contents)).toEqual(["4567890\n", "3456789\n", "2345678\n"]);
  });

  it("is compressed when it is put aside", async () => {
    const log = file({ compress: true });
    for (const line of ["1234567\n", "2345678\n", "3456789\n"]) await log.write([line]);
    await log.close();
    expect((await readdir(folder)).sort()).toEqual(["log", "log.1.gz", "log.2.gz"]);
    expect(gunzipSync(await readFile(path("log.2.gz"))).toString()).toBe("1234567\n");
    expect((await stat(path("log.1.gz"))).mode & 0o777).toBe(0o600);
  });

  it("begins anew with nothing kept", async () => {
    const log = file({ keep: 0 });
    await log.write(["1234567\n"]);
    await log.write(["2345678\n"]);
    await log.close();
    expect(await readdir(folder)).toEqual(["log"]);
    expect(await readFile(path("log"), "utf8")).toBe("2345678\n");
  });

  it("follows its path when somebody moves it away", async () => {
    const log = file({ maxBytes: 100 });
    await log.write(["a\n"]);
    await rename(path("log"), path("moved"));
    await log.write(["b\n"]);
    await log.close();
    expect(await readFile(path("log"), "utf8")).toBe("b\n");
    expect(await readFile(path("moved"), "utf8")).toBe("a\n");
  });

  it("ends half a line that a process before it left", async () => {
    await writeFile(path("log"), "whole\nhal");
    const log = file({ maxBytes: 100 });
    await log.write(["next\n"]);
    await log.close();
    expect(await readFile(path("log"), "utf8")).toBe("whole\nhal\nnext\n");
  });

  it("says why it cannot be written, and can be once that is over", async () => {
    await appendFile(path("in-the-way"), "");
    const log = file({ path: path("in-the-way/log") });
    await expect(log.write(["a\n"])).rejects.toThrow("EEXIST");
    await rm(path("in-the-way"));
    await log.write(["b\n"]);
    await log.close();
    expect(await readFile(path("in-the-way/log"), "utf8")).toBe("b\n");
  });
});
