import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkConfig } from "./check.js";
import { ConfigError } from "./error.js";
import { readConfigFile } from "./file.js";
import { loadConfig, type RawConfig } from "./load.js";
import type { Config } from "./schema.js";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latscope-"));
  path = join(folder, "config.yaml");
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function load(text: string, flags: RawConfig = {}, environment: NodeJS.ProcessEnv = {}): Promise<Config> {
  await writeFile(path, text);
  return loadConfig(flags, environment, await readConfigFile(path));
}
/** Lines of complaint, the file's path left out. */
async function complaints(text: string): Promise<string[]> {
  const error: unknown = await load(text).then(
    () => expect.fail("the file was accepted"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message.split("\n").map((line) => line.replace(path, "FILE"));
}

describe("a configuration file", () => {
  it("has the options under the names of the flags, and wins over defaults alone", async () => {
    const text = `
# comment
drain-timeout: 250ms
max-sessions: 7
max-streams: 9
program-stats: off
node-label: [site=a, rack=b]
`;
    const config = await load(text, { maxStreams: "11" }, { LATSCOPE_MAX_SESSIONS: "8" });
    const labels = [
      ["site", "a"],
      ["rack", "b"],
    ];
    const expected = { drainTimeout: 250, maxSessions: 8, maxStreams: 11, programStats: "off", nodeLabel: labels };
    expect(config).toMatchObject(expected);
  });

  it("may be empty", async () => {
    expect((await load("")).maxSessions).toBe(64);
    expect((await load("# nothing\n")).maxSessions).toBe(64);
  });

  it("has listeners that are each as they need it, beside those of --listen", async () => {
    const text = `
listen: 127.0.0.1:1
insecure: true
listeners:
  - listen: 0.0.0.0:2
    tls-cert: /tls.crt
    tls-key: /tls.key
    client-ca: /ca.crt
  - listen: "[::]:3"
    tls-cert: /tls.crt
    tls-key: /tls.key
    jwks: /jwks.json
    jwt-issuer: https://issuer.example
    jwt-audience: latscope
    jwt-algorithm: ES256
`;
    const tls = { cert: "/tls.crt", key: "/tls.key", tokenFile: undefined };
    const rules = { keys: "/jwks.json", issuer: "https://issuer.example", audience: "latscope", algorithms: ["ES256"] };
    expect((await load(text)).listeners).toEqual([
      { address: { host: "127.0.0.1", port: 1 }, tls: undefined },
      { address: { host: "0.0.0.0", port: 2 }, tls: { ...tls, clientCa: "/ca.crt", jwt: undefined } },
      { address: { host: "::", port: 3 }, tls: { ...tls, clientCa: undefined, jwt: rules } },
    ]);
  });

  it("is told of its mistakes by their lines", async () => {
    expect(await complaints("max-sessions: 7\n\ndrain-timeout: 5\nlog-level: loud\n")).toEqual([
      'FILE:3: drain-timeout: "5" is not a duration such as 500ms, 30s, 10m or 2h',
      expect.stringMatching(/^FILE:4: log-level: /),
    ]);
  });

  it("is told of a name that is not one, and of the nearest that is", async () => {
    const text = `drian-timeout: 5s
favourite-colour: red
listeners:
  - listen: 127.0.0.1:1
    insecuer: true
`;
    expect(await complaints(text)).toEqual([
      'FILE:1: there is no option "drian-timeout"; did you mean "drain-timeout"?',
      'FILE:2: there is no option "favourite-colour"; docs/configuration.md has all that there are',
      'FILE:5: there is no option "insecuer"; did you mean "insecure"?',
    ]);
  });

  it.each([
    ["max-sessions: [1\nmax-streams: 2\n", /^FILE:\d+: /],
    ["max-sessions: 1\nmax-sessions: 2\n", /^FILE:2: Map keys must be unique/],
    ["- a\n", /^FILE:1: is no list of options/],
    ["max-sessions:\n  a: 1\n", /^FILE:1: max-sessions takes a value/],
    ["listeners: 127.0.0.1:1\n", /^FILE:1: listeners is a list of listeners/],
    ["node: a\nlisteners:\n  - insecure: true\n", /^FILE:3: listeners\[0\]\.listen: /],
  ])("refuses %j", async (text, complaint) => {
    expect(await complaints(text)).toEqual([expect.stringMatching(complaint)]);
  });

  it("is told what a listener lacks, at the listener's line", async () => {
    const text = `
listeners:
  - listen: 127.0.0.1:1
  - listen: 10.0.0.1:1
    insecure: true
  - listen: 10.0.0.1:2
    tls-cert: /a
  - listen: 10.0.0.1:3
    tls-cert: /a
    tls-key: /b
    jwks: /c
  - listen: 127.0.0.1:4
    insecure: true
    token-file: /d
`;
    expect(await complaints(text)).toEqual([
      expect.stringMatching(/^FILE:3: listeners\[0\]\.listen: TCP needs TLS: /),
      expect.stringMatching(/^FILE:4: listeners\[1\]\.listen: .* works on loopback only/),
      expect.stringMatching(/^FILE:7: listeners\[2\]\.tls-cert: needs tls-key/),
      expect.stringMatching(/^FILE:7: listeners\[2\]\.tls-cert: does not tell who calls/),
      expect.stringMatching(/^FILE:11: listeners\[3\]\.jwks: needs jwt-issuer and jwt-audience/),
      expect.stringMatching(/^FILE:13: listeners\[4\]\.insecure: is plaintext, on which token-file is of no use/),
    ]);
  });

  it("must be there when somebody says where it is", async () => {
    await expect(readConfigFile(join(folder, "none"))).rejects.toThrow("none: there is no such file");
    await expect(readConfigFile(folder)).rejects.toThrow(ConfigError);
  });

  it("shows what it comes to, in its own form, with where each value comes from", async () => {
    await writeFile(
      path,
      'listen: "[::1]:1"\ninsecure: true\nlisteners:\n  - listen: 127.0.0.1:2\n    insecure: true\n',
    );
    const text = await checkConfig({ node: "a" }, { LATSCOPE_MAX_SESSIONS: "7" }, await readConfigFile(path));
    const lines = text.split("\n").map((line) => line.replace(/ +#/, " #").replace(path, "FILE"));
    for (const line of [
      "socket: /run/latscope/latscope.sock # default",
      'listen: ["[::1]:1"] # FILE:1',
      "insecure: true # FILE:2",
      "node: a # --node",
      "max-sessions: 7 # LATSCOPE_MAX_SESSIONS",
      "  - listen: 127.0.0.1:2 # FILE:4",
      "    insecure: true",
    ]) {
      expect(lines).toContain(line);
    }
    // What it prints is a file that comes to the same.
    const again = join(folder, "again.yaml");
    await writeFile(again, text);
    expect(loadConfig({}, {}, await readConfigFile(again))).toEqual(
      await load(await readFile(path, "utf8"), { node: "a", maxSessions: "7" }),
    );
  });
});

describe("checkConfig of a folder of sessions", () => {
  it("names every wrong line of every file", async () => {
    const sessionDir = join(folder, "sessions");
    await expect(checkConfig({ sessionDir }, {})).rejects.toThrow(`${sessionDir}: ENOENT`);
    await mkdir(sessionDir);
    await writeFile(join(sessionDir, "good.yaml"), "spec: { probes: [{ tcp: {} }] }");
    expect(await checkConfig({ sessionDir }, {})).toContain(`session-dir: ${sessionDir}`);
    await writeFile(join(sessionDir, "one.yaml"), "spec:\n  probe: []\n  limit: {}\n");
    await writeFile(join(sessionDir, "two.json"), "{");
    const error: unknown = await checkConfig({ sessionDir }, {}).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ConfigError);
    const lines = (error as Error).message.split("\n").map((line) => line.slice(0, `${sessionDir}/one.yaml:2`.length));
    expect(lines).toEqual(["one.yaml:2", "one.yaml:3", "two.json:1"].map((at) => `${sessionDir}/${at}`));
  });
});
