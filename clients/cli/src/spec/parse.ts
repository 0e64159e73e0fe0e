import { Direction, type Metric, type PortRange } from "@latscope/proto";
import { InvalidArgumentError } from "commander";
import { isIP } from "node:net";
import { metricNamed } from "../format/metric.js";

/** As protobuf has it. */
export interface Duration {
  seconds: bigint;
  nanos: number;
}

const unitNs: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

/** Collects the values of a flag that may be given more than once; each value may hold several, separated by commas. */
export function each<T>(parse: (text: string) => T): (text: string, earlier: T[] | undefined) => T[] {
  return (text, earlier = []) => [...earlier, ...text.split(",").map((part) => parse(part.trim()))];
}

/** A name that is not empty. @throws InvalidArgumentError like all of these, so that commander names the flag */
export function name(text: string): string {
  if (text === "") throw new InvalidArgumentError("It is empty.");
  return text;
}

/** A whole number from `least` up to `most`. */
export function wholeNumber(least: bigint, most: bigint): (text: string) => bigint {
  return (text) => {
    const value = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
    if (value === undefined || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** A whole number of 32 bits. */
export function small(least: number, most: number): (text: string) => number {
  const parse = wholeNumber(BigInt(least), BigInt(most));
  return (text) => Number(parse(text));
}

const port = small(0, 65_535);

/** `443` or `8000-8080`. */
export function portRange(text: string): PortRange {
  const [from = "", to = from, ...more] = text.split("-");
  const range = { first: port(from), last: port(to) };
  if (more.length > 0 || range.last < range.first) throw new InvalidArgumentError("A range of ports is FIRST-LAST.");
  return range;
}

/** `10.0.0.0/8`, `2001:db8::/32`, or an address alone. */
export function cidr(text: string): string {
  const [address = "", length, ...more] = text.split("/");
  const version = isIP(address);
  const most = version === 6 ? 128 : 32;
  if (version === 0 || address.includes("%") || more.length > 0) {
    throw new InvalidArgumentError("It must be an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32.");
  }
  if (length === undefined) return `${address}/${most}`;
  if (!/^\d{1,3}$/.test(length) || Number(length) > most) {
    throw new InvalidArgumentError(`The prefix length must be 0 to ${most}.`);
  }
  return `${address}/${Number(length)}`;
}

/** `250us`, `10ms`, `1.5s`, `5m`. */
export function duration(text: string): Duration {
  const [, whole = "", fraction = "", unit = ""] = /^(\d{1,9})(?:\.(\d{1,9}))?([a-z]+)$/.exec(text) ?? [];
  const factor = unitNs[unit];
  if (factor === undefined) throw new InvalidArgumentError("It must be a time such as 250us, 10ms, 1.5s or 5m.");
  const ns = BigInt(whole) * factor + (BigInt(fraction.padEnd(9, "0")) * factor) / 1_000_000_000n;
  return { seconds: ns / 1_000_000_000n, nanos: Number(ns % 1_000_000_000n) };
}

/** `0.99`: a part of all, from 0 to 1. */
export function quantile(text: string): number {
  const value = /^\d(\.\d{1,15})?$/.test(text) ? Number(text) : undefined;
  if (value === undefined || value > 1) throw new InvalidArgumentError("It must be from 0 to 1, such as 0.99.");
  return value;
}

export function metric(text: string): Metric {
  const found = metricNamed(text);
  if (found === undefined) throw new InvalidArgumentError("There is no such metric; latscope capabilities lists them.");
  return found;
}

const directions: Readonly<Record<string, Direction>> = {
  outbound: Direction.OUTBOUND,
  inbound: Direction.INBOUND,
  forwarded: Direction.FORWARDED,
};

export function direction(text: string): Direction {
  const found = directions[text];
  if (found === undefined) throw new InvalidArgumentError("It must be outbound, inbound or forwarded.");
  return found;
}
