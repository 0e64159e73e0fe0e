import { expect, test } from "vitest";
import { addressFrom } from "./address.js";

test.each([
  [undefined, {}, { target: "unix:/run/latscope/latscope.sock", source: "the default" }],
  [undefined, { LATSCOPE_ADDRESS: "" }, { target: "unix:/run/latscope/latscope.sock", source: "the default" }],
  [undefined, { LATSCOPE_ADDRESS: "[::1]:4317" }, { target: "[::1]:4317", source: "LATSCOPE_ADDRESS" }],
  ["localhost:4317", { LATSCOPE_ADDRESS: "unix:/a" }, { target: "localhost:4317", source: "--address" }],
  ["unix:a.sock", {}, { target: "unix:a.sock", source: "--address" }],
  ["https://a.example:4317", {}, { target: "a.example:4317", source: "--address", tls: true }],
  [undefined, { LATSCOPE_ADDRESS: "https://[::1]:1/" }, { target: "[::1]:1", source: "LATSCOPE_ADDRESS", tls: true }],
  ["/a/b.sock", {}, { target: "unix:/a/b.sock", source: "--address" }],
])("%j with %j", (flag, environment, expected) => {
  expect(addressFrom(flag, environment)).toEqual(expected);
});

test.each(["", "localhost", "localhost:", ":4317", "localhost:70000", "::1:4317", "http://localhost:4317", "unix:"])(
  "%j is no address",
  (text) => {
    expect(() => addressFrom(text, {})).toThrow(
      `--address: "${text}" is neither unix:/path nor host:port nor https://host:port (an IPv6 host in brackets)`,
    );
  },
);

test("a wrong variable is named as such", () => {
  expect(() => addressFrom(undefined, { LATSCOPE_ADDRESS: "x" })).toThrow(/^LATSCOPE_ADDRESS: "x" is/);
});
