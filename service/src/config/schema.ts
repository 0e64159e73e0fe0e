import { hostname } from "node:os";
import { z } from "zod";
import { bytes } from "./bytes.js";
import { duration } from "./duration.js";
import { label } from "./label.js";
import { auditOptions } from "../audit/options.js";
import { exportOptions } from "../export/options.js";
import { guardOptions } from "../guard/options.js";
import { quotaOptions } from "../quota/limits.js";
import { isLoopback, listenAddress } from "./listen.js";
import { described, withFallback } from "./option.js";

const nodeName = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, {
  error: "a node name has 1 to 63 letters, digits, dots, hyphens and underscores",
});
const absolutePath = z.string().startsWith("/", { error: "the path must be absolute" });
const count = (most: number) => z.coerce.number().int().min(1).max(most);
const rate = z.coerce.number().int().min(0).max(4_294_967_295);
const someTime = duration.refine((milliseconds) => milliseconds > 0, { error: "it must be longer than 0" });

/** Every option of the service. The key gives the flag (`--drain-timeout`) and the variable (`LATSCOPE_DRAIN_TIMEOUT`). */
export const options = {
  socket: withFallback(absolutePath, "/run/latscope/latscope.sock", {
    description: "the unix socket to listen on",
    value: "PATH",
  }),
  socketGroup: described(z.string().min(1).optional(), {
    description: "the group that may use the unix socket (default: latscope if there is one, else root)",
    value: "GROUP",
  }),
  listen: described(z.array(listenAddress).default([]), {
    description: "also listen on TCP; may be given more than once",
    value: "HOST:PORT",
  }),
  insecure: described(z.stringbool().default(false), {
    description: "allow plaintext TCP, on loopback only: every local user becomes operator",
  }),
  node: withFallback(nodeName, hostname(), {
    description: "this host's name, as in nodes/NAME",
    value: "NAME",
  }),
  nodeLabel: described(z.array(label).default([]), {
    description: "a label of this host, for selectors; may be given more than once",
    value: "KEY=VALUE",
  }),
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
  ...quotaOptions,
  ...guardOptions,
  ...auditOptions,
  ...exportOptions,
  drainTimeout: withFallback(duration, "5s", {
    description: "how long streams get to end when the service stops",
    value: "TIME",
  }),
  logLevel: withFallback(z.enum(["trace", "debug", "info", "warn", "error", "silent"]), "info", {
    description: "trace, debug, info, warn, error or silent",
    value: "LEVEL",
  }),
} as const;

/** The service's configuration, from flags and environment alike. */
export const configSchema = z.object(options).superRefine((config, context) => {
  for (const [index, { host }] of config.listen.entries()) {
    if (!config.insecure) {
      context.addIssue({
        code: "custom",
        path: ["listen", index],
        message:
          "TCP without TLS needs --insecure, and then works on loopback only; from another machine use the unix socket through ssh: " +
          `ssh -L 4317:${config.socket} HOST`,
      });
    } else if (!isLoopback(host)) {
      context.addIssue({
        code: "custom",
        path: ["listen", index],
        message:
          `--insecure is plaintext and works on loopback only, and "${host}" is not loopback; listen on 127.0.0.1 and reach it ` +
          `from another machine through ssh: ssh -L 4317:127.0.0.1:PORT HOST`,
      });
    }
  }
});

/** The configuration, checked, with defaults. */
export type Config = z.infer<typeof configSchema>;
export type OptionName = keyof typeof options;
