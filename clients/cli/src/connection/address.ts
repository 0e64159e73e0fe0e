import { Option, type Command } from "commander";
import { UsageError } from "../spec/usage.js";

const defaultAddress = "unix:/run/latscope/latscope.sock";

/** Where the service is, and who said so. */
export interface Address {
  /** As gRPC writes it: `unix:/path` or `host:port`. */
  target: string;
  /** `--address`, `LATSCOPE_ADDRESS`, or `the default`. */
  source: string;
}

/** Adds `--address`, which every command that calls the service has. */
export function addAddressFlag(command: Command): void {
  command.addOption(
    new Option(
      "--address <address>",
      `where the service is, unix:/path or host:port; LATSCOPE_ADDRESS; default: ${defaultAddress}`,
    ),
  );
}

/** The flag, else the environment, else the default. @throws UsageError when it is neither a path nor host:port */
export function addressFrom(flag: string | undefined, environment: NodeJS.ProcessEnv): Address {
  if (flag !== undefined) return { target: targetOf(flag, "--address"), source: "--address" };
  const variable = environment["LATSCOPE_ADDRESS"] ?? "";
  if (variable !== "") return { target: targetOf(variable, "LATSCOPE_ADDRESS"), source: "LATSCOPE_ADDRESS" };
  return { target: defaultAddress, source: "the default" };
}

function targetOf(text: string, source: string): string {
  if (/^unix:./.test(text)) return text;
  if (text.startsWith("/")) return `unix:${text}`;
  const [, port] = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    throw new UsageError(`${source}: "${text}" is neither unix:/path nor host:port (an IPv6 host in brackets)`);
  }
  return text;
}
