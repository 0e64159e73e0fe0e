import { readFile } from "node:fs/promises";

import { expect, test } from "vitest";

import { apiDocument } from "../docs/document.js";
import { shapeOf } from "../docs/shape.js";
import { inRepository } from "../harness/paths.js";

test("docs/api.md shows the fields that answers have (npm run docs makes it anew)", async () => {
  const committed = shapeOf(await readFile(inRepository("docs/api.md"), "utf8"));
  expect(committed.length).toBeGreaterThan(100);
  expect(shapeOf(await apiDocument())).toEqual(committed);
});
