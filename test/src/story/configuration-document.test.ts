import { configurationReference } from "@latscope/service";
import { readFile } from "node:fs/promises";

import { expect, test } from "vitest";

import { inRepository } from "../harness/paths.js";

test("docs/configuration.md has the options that there are (npm run docs makes it anew)", async () => {
  expect(await readFile(inRepository("docs/configuration.md"), "utf8")).toBe(configurationReference());
});
