#!/usr/bin/env node
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";

// Before anything large is imported: loading the service makes garbage enough for V8 to let the space of young objects grow from
// 1 to 16 MiB, which an idle service then holds for ever. What a service that streams makes young is a few small objects for each
// message: batches are outside V8's heap.
setFlagsFromString("--semi-space-growth-factor=1");

const main = join(import.meta.dirname, "../dist/main.js");

if (existsSync(main)) {
  const { run } = await import(main);
  process.exitCode = await run(process.argv.slice(2));
} else {
  process.stderr.write("latscope: not built yet; in the repository's root: npm run build\n");
  process.exitCode = 1;
}
