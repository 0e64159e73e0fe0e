import { Direction, Metric } from "@latscope/proto";
import { InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import { cidr, direction, duration, each, metric, name, portRange, wholeNumber } from "./parse.js";

test.each([
  ["443", { first: 443, last: 443 }],
  ["0", { first: 0, last: 0 }],
  ["8000-8080", { first: 8000, last: 8080 }],
  ["65535", { first: 65_535, last: 65_535 }],
])("port %s", (text, expected) => {
  expect(portRange(text)).toEqual(expected);
});

test.each(["", "70000", "-1", "80-", "-80", "1-2-3", "9-8", "http", "4e2", " 4"])("no port: %j", (text) => {
  expect(() => portRange(text)).toThrow(InvalidArgumentError);
});

test.each([
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["10.0.0.7", "10.0.0.7/32"],
  ["2001:db8::/32", "2001:db8::/32"],
  ["::1", "::1/128"],
  ["0.0.0.0/0", "0.0.0.0/0"],
])("cidr %s", (text, expected) => {
  expect(cidr(text)).toBe(expected);
});

test.each([
  "",
  "10.0.0.0/33",
  "::/129",
  "10.0.0/8",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "10.0.0.0/-1",
  "fe80::1%eth0",
  "eth0",
])("no cidr: %j", (text) => {
  expect(() => cidr(text)).toThrow(InvalidArgumentError);
});

test.each([
  ["1ns", { seconds: 0n, nanos: 1 }],
  ["250us", { seconds: 0n, nanos: 250_000 }],
  ["0.25ms", { seconds: 0n, nanos: 250_000 }],
  ["1.5s", { seconds: 1n, nanos: 500_000_000 }],
  ["5m", { seconds: 300n, nanos: 0 }],
  ["2h", { seconds: 7200n, nanos: 0 }],
  ["0s", { seconds: 0n, nanos: 0 }],
])("duration %s", (text, expected) => {
  expect(duration(text)).toEqual(expected);
});

test.each(["", "10", "ms", "-1s", "1.s", "1 s", "1w", "1e3s"])("no duration: %j", (text) => {
  expect(() => duration(text)).toThrow(InvalidArgumentError);
});

test("the other kinds", () => {
  expect(metric("tcp-rtt")).toBe(Metric.TCP_RTT);
  expect(() => metric("latency")).toThrow("There is no such metric; latscope capabilities lists them.");
  expect(direction("inbound")).toBe(Direction.INBOUND);
  expect(() => direction("in")).toThrow(InvalidArgumentError);
  expect(() => name("")).toThrow(InvalidArgumentError);
  expect(wholeNumber(1n, 2n ** 64n - 1n)("18446744073709551615")).toBe(18_446_744_073_709_551_615n);
  expect(() => wholeNumber(1n, 2n ** 64n - 1n)("18446744073709551616")).toThrow(InvalidArgumentError);
  expect(() => wholeNumber(1n, 5n)("0")).toThrow("It must be a whole number from 1 to 5.");
});

test("a flag's values add up, with commas or again", () => {
  const ports = each(portRange);
  expect(ports("80", ports("443, 8000-8080", undefined))).toEqual([
    { first: 443, last: 443 },
    { first: 8000, last: 8080 },
    { first: 80, last: 80 },
  ]);
});
