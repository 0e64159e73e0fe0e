import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { flagOf, optionNames } from "./load.js";
import { options, type OptionMeta } from "./schema.js";

const document = await readFile(new URL("../../../docs/limits.md", import.meta.url), "utf8");
const limits = optionNames.filter(
  (name) => /^max|Timeout$|^retain$|Bytes$|PerSecond$/.test(name) && name !== "drainTimeout",
);

it.each(limits)("docs/limits.md has %s with its default", (name) => {
  const { fallback } = options[name].meta() as unknown as OptionMeta;
  const row = document.split("\n").find((line) => line.startsWith("|") && line.includes(`\`${flagOf(name)}\``)) ?? "";
  expect(row).toContain(fallback ?? "not set");
});
