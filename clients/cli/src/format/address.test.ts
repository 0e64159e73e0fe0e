import { expect, test } from "vitest";
import { addressText, endpoint } from "./address.js";

test.each([
  ["c0000201", "192.0.2.1"],
  ["20010db8000000000000000000000001", "2001:db8::1"],
  ["00000000000000000000000000000001", "::1"],
  ["20010db8000100000001000000000001", "2001:db8:1:0:1::1"],
  ["c00002", ""],
])("%s is %s", (hex, expected) => {
  expect(addressText(Buffer.from(hex, "hex"))).toBe(expected);
});

test.each([
  ["10.0.0.7", 443, "10.0.0.7:443"],
  ["2001:db8::1", 443, "[2001:db8::1]:443"],
  ["2001:db8::1", 0, "2001:db8::1"],
])("%s port %d is %s", (address, port, expected) => {
  expect(endpoint(address, port)).toBe(expected);
});
