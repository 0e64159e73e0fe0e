import { expect, test } from "vitest";
import { paintFor } from "./paint.js";

test.each([
  ["a terminal", { isTTY: true }, {}, "\x1b[31mx\x1b[39m"],
  ["a pipe", {}, {}, "x"],
  ["NO_COLOR", { isTTY: true }, { NO_COLOR: "1" }, "x"],
  ["an empty NO_COLOR", { isTTY: true }, { NO_COLOR: "" }, "\x1b[31mx\x1b[39m"],
  ["a dumb terminal", { isTTY: true }, { TERM: "dumb" }, "x"],
])("%s", (_name, output, environment, expected) => {
  expect(paintFor(output, environment)("red", "x")).toBe(expected);
});
