import { expect, test } from "vitest";
import { jsonString, printable } from "./text.js";

test.each([
  ["eth0", "eth0"],
  ["żółw 名前", "żółw 名前"],
  ["\x1b[2Jcleared", "\\x1b[2Jcleared"],
  ["a\r\nb\tc\x7f", "a\\x0d\\x0ab\\x09c\\x7f"],
  ["\x9b31m", "\\x9b31m"],
  ["abc\u202egnp.exe", "abc\\u{202e}gnp.exe"],
  ["\u2028", "\\u{2028}"],
  ["\ud800", "\\u{d800}"],
])("printable(%j) is %j", (text, expected) => {
  expect(printable(text)).toBe(expected);
});

test.each([
  ["eth0", '"eth0"'],
  ['a"b\\', '"a\\"b\\\\"'],
  ["\x1b[2J", '"\\u001b[2J"'],
  ["\x9b31m\x7f", '"\\u009b31m\\u007f"'],
  ["\u202e", '"\\u202e"'],
  ["\u{e0001}", '"\\udb40\\udc01"'],
  ["名前", '"名前"'],
])("jsonString(%j) is %s", (text, expected) => {
  expect(jsonString(text)).toBe(expected);
  expect(JSON.parse(jsonString(text))).toBe(text);
});
