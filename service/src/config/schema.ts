import { hostname } from "node:os";
import { z } from "zod";
import { duration } from "./duration.js";
import { isLoopback, listenAddress } from "./listen.js";

/** How an option shows in `--help`. */
export interface OptionMeta {
  description: string;
  /** What follows the flag; a flag without one is a switch. */
  value?: string;
}

const option = <T extends z.ZodType>(type: T, meta: OptionMeta): T => type.meta({ ...meta });

const nodeName = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, {
  error: "a node name has 1 to 63 letters, digits, dots, hyphens and underscores",
});

/** Every option of the service. The key gives the flag (`--drain-timeout`) and the variable (`LATSCOPE_DRAIN_TIMEOUT`). */
export const options = {
  socket: option(
    z.string().startsWith("/", { error: "the socket's path must be absolute" }).default("/run/latscope/latscope.sock"),
    {
      description: "the unix socket to listen on",
      value: "PATH",
    },
  ),
  socketGroup: option(z.string().min(1).optional(), {
    description: "the group that may use the unix socket (default: latscope if there is one, else root)",
    value: "GROUP",
  }),
  listen: option(z.array(listenAddress).default([]), {
    description: "also listen on TCP; may be given more than once",
    value: "HOST:PORT",
  }),
  insecure: option(z.stringbool().default(false), {
    description: "allow plaintext TCP, on loopback only: every local user becomes operator",
  }),
  node: option(
    nodeName.default(() => hostname()),
    {
      description: "this host's name, as in nodes/NAME (default: the hostname)",
      value: "NAME",
    },
  ),
  maxSessions: option(z.coerce.number().int().min(1).max(10_000).default(64), {
    description: "how many sessions may exist at once",
    value: "COUNT",
  }),
  maxStreams: option(z.coerce.number().int().min(1).max(100_000).default(1000), {
    description: "how many streams may be open at once",
    value: "COUNT",
  }),
  drainTimeout: option(duration.prefault("5s"), {
    description: "how long streams get to end when the service stops",
    value: "TIME",
  }),
  logLevel: option(z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"), {
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
