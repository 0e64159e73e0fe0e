import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { auditOptions } from "../audit/options.js";
import { exportOptions } from "../export/options.js";
import { guardOptions } from "../guard/options.js";
import { quotaOptions } from "../quota/limits.js";
import { optionNames } from "./schema.js";
import { flagOf } from "./name.js";
import { metaOf } from "./option.js";
import { options } from "./schema.js";

const document = await readFile(new URL("../../../docs/limits.md", import.meta.url), "utf8");
const limits = optionNames.filter(
  (name) => /^(?!quota|audit|json)(max|.*Timeout$|retain$|.*Bytes$|.*PerSecond$)/.test(name) && name !== "drainTimeout",
);

it.each(limits)("docs/limits.md has %s with its default", (name) => {
  const { fallback } = metaOf(options[name]);
  const row = document.split("\n").find((line) => line.startsWith("|") && line.includes(`\`${flagOf(name)}\``)) ?? "";
  expect(row).toContain(fallback ?? "not set");
});

const operations = await readFile(new URL("../../../docs/operations.md", import.meta.url), "utf8");
const operated = Object.keys({
  ...auditOptions,
  ...quotaOptions,
  ...guardOptions,
  ...exportOptions,
}) as (keyof typeof options)[];

it.each(operated)("docs/operations.md has %s, with its default where there is one", (name) => {
  const { fallback } = metaOf(options[name]);
  const line = operations.split("\n").find((text) => text.includes(`\`${flagOf(name)}\``)) ?? "";
  expect(line).toContain(flagOf(name));
  expect(operations).toContain(fallback ?? "");
});
