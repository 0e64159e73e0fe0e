#!/usr/bin/env node
import { existsSync } from "node:fs";
import { join } from "node:path";

const main = join(import.meta.dirname, "../dist/main.js");

if (existsSync(main)) {
  const { run } = await import(main);
  process.exitCode = await run(process.argv.slice(2));
} else {
  process.stderr.write("latscope: not built yet; in the repository's root: npm run build\n");
  process.exitCode = 1;
}
