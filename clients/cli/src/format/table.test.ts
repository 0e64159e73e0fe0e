import { expect, test } from "vitest";
import { table } from "./table.js";

test("columns are as wide as their widest cell, numbers to the right, no trailing spaces", () => {
  expect(
    table(
      [
        ["NAME", "LOST", "NOTE"],
        ["edge", "12345", ""],
        ["a-longer-name", "0", "x"],
      ],
      ["left", "right", "left"],
    ),
  ).toEqual(["NAME            LOST  NOTE", "edge           12345", "a-longer-name      0  x"]);
});
