import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { reasons } from "./reason.js";

const root = new URL("../../../", import.meta.url);
const documented = new Map(
  [...(await readFile(new URL("docs/errors.md", root), "utf8")).matchAll(/^\| `([A-Z_]+)` +\| `([A-Z_]+)`/gm)].map(
    ([, reason, status]) => [reason, status],
  ),
);

it.each(Object.entries(reasons))("documents %s as %s", (reason, status) => {
  expect(documented.get(reason)).toBe(status);
});

it("documents every reason of the collector, and none that nobody gives", async () => {
  const source = await readFile(new URL("kernel-rs/collector/src/failure.rs", root), "utf8");
  // Each has its code first, and its status in another table behind.
  const [collector = ""] = source.split("fn status(");
  const given = new Set([
    ...Object.keys(reasons),
    ...[...collector.matchAll(/^ +Self::\w+ => "([A-Z_]+)",$/gm)].map(([, code]) => code),
  ]);
  expect([...documented.keys()].filter((reason) => !given.has(reason ?? ""))).toEqual([]);
  expect([...given].filter((reason) => !documented.has(reason ?? ""))).toEqual([]);
});
