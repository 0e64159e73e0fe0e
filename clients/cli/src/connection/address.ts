import { Option, type Command } from "commander";
import { addTlsFlags } from "./credentials.js";
import { UsageError } from "../spec/usage.js";

const defaultAddress = "unix:/run/latscope/latscope.sock";

/** Where the service is, and who said so. */
export interface Address {
  /** As gRPC writes it: `unix:/path` or `host:port`. */
  target: string;
  /** `--address`, `LATSCOPE_ADDRESS`, or `the default`. */
  source: string;
  /** Set where it is written as `https://host:port`. */
  tls?: true;
}

/** Adds `--address` and what goes with it, which every command that calls the service has. */
export function addAddressFlag(command: Command): void {
  command.addOption(
    new Option(
      "--address <address>",
      `where the service is, unix:/path, host:port or, with TLS, https://host:port; LATSCOPE_ADDRESS; default: ${defaultAddress}`,
    ),
  );
  addTlsFlags(command);
}

/** The flag, else the environment, else the default. @throws UsageError when it is neither a path nor host:port */
export function addressFrom(flag: string | undefined, environment: NodeJS.ProcessEnv): Address {
  if (flag !== undefined) return addressOf(flag, "--address");
  const variable = environment["LATSCOPE_ADDRESS"] ?? "";
  if (variable !== "") return addressOf(variable, "LATSCOPE_ADDRESS");
  return { target: defaultAddress, source: "the default" };
}

function addressOf(text: string, source: string): Address {
  if (/^unix:./.test(text)) return { target: text, source };
  if (text.startsWith("/")) return { target: `unix:${text}`, source };
  const [, scheme, target, port] = /^(https:\/\/)?((?:\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]+):(\d{1,5}))\/?$/.exec(text) ?? [];
  if (target === undefined || Number(port) > 65_535) {
    throw new UsageError(
      `${source}: "${text}" is neither unix:/path nor host:port nor https://host:port (an IPv6 host in brackets)`,
    );
  }
  return scheme === undefined ? { target, source } : { target, source, tls: true };
}
