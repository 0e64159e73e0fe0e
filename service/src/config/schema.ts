import { hostname } from "node:os";
import { z } from "zod";
import { bytes } from "./bytes.js";
import { duration } from "./duration.js";
import { label } from "./label.js";
import { policyOptions } from "../auth/policy/options.js";
import { auditOptions } from "../audit/options.js";
import { declaredOptions } from "../declared/options.js";
import { exportOptions } from "../export/options.js";
import { guardOptions, memoryIssue } from "../guard/options.js";
import { quotaOptions } from "../quota/limits.js";
import { listenAddress, type ListenAddress } from "./listen.js";
import { listenerEntry, listenerOptions, resolveListener, type Listener } from "./listener.js";
import { absolutePath, count, described, someTime, withFallback } from "./option.js";

const nodeName = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, {
  error: "a node name has 1 to 63 letters, digits, dots, hyphens and underscores",
});
const rate = z.coerce.number().int().min(0).max(4_294_967_295);

const listening = {
  socket: withFallback(absolutePath, "/run/latscope/latscope.sock", {
    description: "the unix socket to listen on",
    value: "PATH",
  }),
  socketGroup: described(z.string().min(1).optional(), {
    description: "the group that may use the unix socket (default: latscope if there is one, else its own)",
    value: "GROUP",
  }),
  listen: described(z.array(listenAddress).default([]), {
    description: "also listen on TCP; may be given more than once",
    value: "HOST:PORT",
  }),
  ...listenerOptions,
  healthListen: described(listenAddress.optional(), {
    description: "serve grpc.health.v1, and nothing else, in plaintext and to whoever can connect",
    value: "HOST:PORT",
  }),
};

const connections = {
  maxConnections: withFallback(count(100_000), "1000", {
    description:
      "how many connections each TCP listener takes at once; at most a quarter of them from callers not known yet",
    value: "COUNT",
  }),
  authenticationTimeout: withFallback(someTime, "10s", {
    description: "how long a connection to a TLS listener may last before somebody has shown on it who it is",
    value: "TIME",
  }),
  maxConnectionAge: described(someTime.optional(), {
    description:
      "after how long a client has to connect again, a tenth more or less; calls under way go on (default: never)",
    value: "TIME",
  }),
};

const node = {
  node: withFallback(nodeName, hostname(), {
    description: "this host's name, as in nodes/NAME",
    value: "NAME",
  }),
  nodeLabel: described(z.array(label).default([]), {
    description: "a label of this host, for selectors; may be given more than once",
    value: "KEY=VALUE",
  }),
};

const limits = {
  maxSessions: withFallback(count(10_000), "64", {
    description: "how many sessions may exist at once",
    value: "COUNT",
  }),
  maxStreams: withFallback(count(100_000), "1000", {
    description: "how many streams may be open at once",
    value: "COUNT",
  }),
  maxDuration: described(someTime.optional(), {
    description: "how long a session runs at most, whatever it asks for (default: as long as it likes)",
    value: "TIME",
  }),
  idleTimeout: withFallback(someTime, "10m", {
    description: "how long a session waits for a reader, unless it asks for another time",
    value: "TIME",
  }),
  maxIdleTimeout: withFallback(someTime, "24h", {
    description: "how long a session may wait for a reader at most",
    value: "TIME",
  }),
  retain: withFallback(duration, "10m", {
    description: "how long the results of a stopped session are kept, unless it asks for another time",
    value: "TIME",
  }),
  maxRetain: withFallback(duration, "24h", {
    description: "how long results may be kept at most",
    value: "TIME",
  }),
  historyBytes: withFallback(bytes, "32MiB", {
    description: "how much of its samples a session keeps, unless it asks for another amount",
    value: "BYTES",
  }),
  maxHistoryBytes: withFallback(bytes, "256MiB", {
    description: "how much a session may keep at most",
    value: "BYTES",
  }),
  maxTotalHistoryBytes: withFallback(bytes, "4GiB", {
    description: "how much all sessions together may keep; a session that would exceed it is refused",
    value: "BYTES",
  }),
  samplesPerSecond: withFallback(rate, "50000", {
    description: "individual samples a second and CPU of a session that asks for no other cap; 0 = no cap",
    value: "COUNT",
  }),
  maxSamplesPerSecond: withFallback(rate, "0", {
    description: "the highest cap a session may ask for; 0 = it may go without",
    value: "COUNT",
  }),
};

const measuring = {
  packetFlows: withFallback(z.coerce.number().int().min(1024).max(1_048_576), "16384", {
    description:
      "how many IPv4 flows the packet engine has room for, half as many of IPv6, and everything else in proportion: some 1 KB of kernel memory each",
    value: "COUNT",
  }),
  programStats: withFallback(z.enum(["on", "off"]), "on", {
    description:
      "whether the kernel counts what eBPF programs cost while a session is attached, which costs every run of the host's some 40 ns",
    value: "on|off",
  }),
};

const running = {
  drainTimeout: withFallback(duration, "5s", {
    description: "how long streams get to end when the service stops",
    value: "TIME",
  }),
  logLevel: withFallback(z.enum(["trace", "debug", "info", "warn", "error", "silent"]), "info", {
    description: "trace, debug, info, warn, error or silent",
    value: "LEVEL",
  }),
};

/** The options by what they are about, as docs/configuration.md shows them. */
export const sections = {
  Listening: listening,
  Connections: connections,
  "Who may do what": policyOptions,
  "This host": node,
  "Sessions without a client": declaredOptions,
  Limits: limits,
  "Quotas of each principal": quotaOptions,
  Measuring: measuring,
  "What eBPF may cost the host": guardOptions,
  Audit: auditOptions,
  Exports: exportOptions,
  Running: running,
} as const;

/** Every option of the service. The key gives the flag (`--drain-timeout`) and the variable (`LATSCOPE_DRAIN_TIMEOUT`). */
export const options = {
  ...listening,
  ...connections,
  ...policyOptions,
  ...node,
  ...declaredOptions,
  ...limits,
  ...quotaOptions,
  ...measuring,
  ...guardOptions,
  ...auditOptions,
  ...exportOptions,
  ...running,
} as const;

export type OptionName = keyof typeof options;

export const optionNames = Object.keys(options) as OptionName[];

const listenerNames = Object.keys(listenerOptions) as (keyof typeof listenerOptions)[];

/** The service's configuration, from flags, environment and file alike; `listeners` stands in the file only. */
export const configSchema = z
  .strictObject({ ...options, listeners: z.array(listenerEntry).default([]) })
  .transform((config, context) => {
    const { listen, listeners: entries } = config;
    const listeners: Listener[] = [];
    const resolve = (
      address: ListenAddress,
      raw: Parameters<typeof resolveListener>[1],
      at: PropertyKey[],
      index: number,
    ): void => {
      const resolved = resolveListener(address, raw);
      if (!Array.isArray(resolved)) {
        listeners.push(resolved);
        return;
      }
      for (const { option, message } of resolved) {
        const path = at.length === 0 && option === "listen" ? [option, index] : [...at, option];
        context.addIssue({ code: "custom", path, message });
      }
    };
    const tooMany = memoryIssue(config.packetFlows, config.overheadMemory);
    if (tooMany !== undefined) context.addIssue({ code: "custom", path: ["packetFlows"], message: tooMany });
    for (const [index, address] of listen.entries()) resolve(address, config, [], index);
    for (const [index, entry] of entries.entries()) resolve(entry.listen, entry, ["listeners", index], 0);
    for (const name of listenerNames) {
      const given = config[name];
      if (listen.length > 0 || given === undefined || given === false || Array.isArray(given)) continue;
      context.addIssue({
        code: "custom",
        path: [name],
        message: "is for TCP, and there is no listen that it would be for",
      });
    }
    return { ...without(config, ["listen", ...listenerNames]), listeners };
  });

function without<T extends object, Name extends keyof T>(object: T, names: readonly Name[]): Omit<T, Name> {
  const rest = { ...object };
  for (const name of names) Reflect.deleteProperty(rest, name);
  return rest;
}

/** The configuration, checked, with defaults. */
export type Config = z.infer<typeof configSchema>;
