import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { ConfigError } from "./error.js";
import { loadConfig, type RawConfig } from "./load.js";

function errorOf(flags: RawConfig, environment: NodeJS.ProcessEnv = {}): string {
  try {
    loadConfig(flags, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error("the configuration was accepted");
}

describe("loadConfig", () => {
  it("has a default for everything", () => {
    expect(loadConfig({}, {})).toEqual({
      socket: "/run/latscope/latscope.sock",
      listeners: [],
      maxConnections: 1000,
      authenticationTimeout: 10_000,
      node: hostname(),
      nodeLabel: [],
      maxSessions: 64,
      maxStreams: 1000,
      idleTimeout: 600_000,
      maxIdleTimeout: 86_400_000,
      retain: 600_000,
      maxRetain: 86_400_000,
      historyBytes: 32 * 2 ** 20,
      maxHistoryBytes: 256 * 2 ** 20,
      maxTotalHistoryBytes: 4 * 2 ** 30,
      samplesPerSecond: 50_000,
      maxSamplesPerSecond: 0,
      packetFlows: 16_384,
      programStats: "on",
      overheadCpu: 0.02,
      overheadMemory: 64 * 2 ** 20,
      overheadWindow: 10_000,
      auditFileBytes: 64 * 2 ** 20,
      auditFiles: 8,
      prometheusGroups: 100,
      otlpGroups: 100,
      jsonFileBytes: 64 * 2 ** 20,
      jsonFiles: 8,
      exportInterval: 10_000,
      drainTimeout: 5000,
      logLevel: "info",
    });
  });

  it("reads flags and variables, and flags win", () => {
    const environment = {
      LATSCOPE_DRAIN_TIMEOUT: "250ms",
      LATSCOPE_MAX_SESSIONS: "7",
      LATSCOPE_LISTEN: "127.0.0.1:4317, [::1]:4318",
      LATSCOPE_INSECURE: "true",
      LATSCOPE_NODE: "",
    };
    const config = loadConfig({ maxSessions: "8" }, environment);
    expect(config.drainTimeout).toBe(250);
    expect(config.maxSessions).toBe(8);
    expect(config.node).toBe(hostname());
    expect(config.listeners).toEqual([
      { address: { host: "127.0.0.1", port: 4317 }, tls: undefined },
      { address: { host: "::1", port: 4318 }, tls: undefined },
    ]);
  });

  it("takes localhost for loopback", () => {
    expect(loadConfig({ listen: ["localhost:0"], insecure: "true" }, {}).listeners).toEqual([
      { address: { host: "127.0.0.1", port: 0 }, tls: undefined },
    ]);
  });

  it("refuses plaintext TCP without --insecure and says what to do", () => {
    const message = errorOf({ listen: ["127.0.0.1:4317"] });
    expect(message).toMatch(
      /^--listen: TCP needs TLS: give it tls-cert and tls-key, and client-ca, token-file or jwks/,
    );
    expect(message).toContain("ssh -L");
  });

  it.each(["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "example.org:1", "127.evil.org:1"])(
    "refuses --insecure on %s, which is not loopback",
    (address) => {
      expect(errorOf({ listen: [address], insecure: "true" })).toMatch(
        /^--listen: insecure is plaintext and works on loopback only/,
      );
    },
  );

  it("takes no half of TLS, and nothing for TCP without a place to listen", () => {
    const half = errorOf({ listen: ["10.0.0.1:1"], tlsKey: "/key", jwks: "/jwks" }, { LATSCOPE_JWT_ISSUER: "a" });
    expect(half.split("\n")).toEqual([
      "--tls-key: is of use with tls-cert only",
      "--jwks: needs jwt-issuer and jwt-audience: else a token that somebody got for another service would do",
    ]);
    expect(errorOf({ tokenFile: "/tokens" }, { LATSCOPE_INSECURE: "yes" }).split("\n")).toEqual([
      "LATSCOPE_INSECURE: is for TCP, and there is no listen that it would be for",
      "--token-file: is for TCP, and there is no listen that it would be for",
    ]);
  });

  it.each(["127.0.0.1", "127.0.0.1:70000", ":1", "::1:1", "[127.0.0.1]:1", "127.0.0.1:x"])(
    "refuses the address %s",
    (address) => {
      expect(errorOf({ listen: [address], insecure: "true" })).toContain("is not HOST:PORT");
    },
  );

  it("reads amounts of memory, labels and rates", () => {
    const flags = { historyBytes: "512KiB", nodeLabel: ["site=a", "rack=b=c"], maxSamplesPerSecond: "1000" };
    expect(loadConfig(flags, { LATSCOPE_MAX_DURATION: "1h" })).toMatchObject({
      historyBytes: 512 * 1024,
      nodeLabel: [
        ["site", "a"],
        ["rack", "b=c"],
      ],
      maxSamplesPerSecond: 1000,
      maxDuration: 3_600_000,
    });
  });

  it.each([
    [{ historyBytes: "32" }, '--history-bytes: "32" is not an amount of memory'],
    [{ maxHistoryBytes: "-1MiB" }, '--max-history-bytes: "-1MiB" is not an amount of memory'],
    [{ nodeLabel: ["site"] }, '--node-label: "site" is not KEY=VALUE'],
    [{ maxDuration: "0s" }, "--max-duration: it must be longer than 0"],
    [{ idleTimeout: "0s" }, "--idle-timeout: it must be longer than 0"],
    [{ maxSamplesPerSecond: "-1" }, "--max-samples-per-second: "],
    [{ packetFlows: "1023" }, "--packet-flows: "],
    [{ packetFlows: "1048577" }, "--packet-flows: "],
    [{ packetFlows: "2048.5" }, "--packet-flows: "],
    [{ packetFlows: "many" }, "--packet-flows: "],
    [{ packetFlows: "65537" }, "--packet-flows: 65537 flows take 64.0009765625 MiB of kernel memory, more than"],
    [
      { overheadMemory: "8MiB" },
      "--packet-flows: 16384 flows take 16 MiB of kernel memory, more than --overhead-memory",
    ],
    [{ overheadCpu: "0%" }, '--overhead-cpu: "0%" is not a share'],
    [{ overheadCpu: "101%" }, '--overhead-cpu: "101%" is not a share'],
    [{ quotaBytesPerSecond: "1KiB" }, "--quota-bytes-per-second: it must be at least 16KiB"],
    [{ audit: "somewhere" }, "--audit: it must be journal, stdout, off or an absolute path"],
    [{ otlpEndpoint: "grpc://a:1" }, '--otlp-endpoint: "grpc://a:1" is not http://HOST:PORT'],
  ])("refuses %j", (flags, message) => {
    expect(errorOf(flags)).toContain(message);
  });

  it("names the source of every wrong value", () => {
    const message = errorOf({ logLevel: "loud" }, { LATSCOPE_DRAIN_TIMEOUT: "5", LATSCOPE_SOCKET: "relative.sock" });
    expect(message.split("\n").map((line) => line.split(":")[0])).toEqual([
      "LATSCOPE_SOCKET",
      "LATSCOPE_DRAIN_TIMEOUT",
      "--log-level",
    ]);
  });
});
