import { readFile } from "node:fs/promises";

import { expect, test } from "vitest";

import { accessTable } from "../access/table.js";
import { calls } from "../access/calls.js";
import { methods } from "../contract/walk.js";
import { madePart } from "../docs/access.js";
import { inRepository } from "../harness/paths.js";

test("docs/security.md says who may call what (npm run docs makes it anew)", { timeout: 180_000 }, async () => {
  const committed = madePart(await readFile(inRepository("docs/security.md"), "utf8"));
  expect(await accessTable()).toBe(committed);
});

test("every method of the contract is in that table", async () => {
  const paths = (await methods()).map(({ parent, name }) => `/${parent.typeName}/${name}`);
  expect(paths.filter((path) => !calls.some(({ method }) => method.path === path))).toEqual([]);
});
