import { configurationReference } from "@latscope/service";
import { writeFile } from "node:fs/promises";

import { inRepository } from "../harness/paths.js";
import { securityDocument } from "./access.js";
import { apiDocument } from "./document.js";

/** The documents that are made, by their names. */
const documents: Readonly<Record<string, () => string | Promise<string>>> = {
  "configuration.md": configurationReference,
  "api.md": apiDocument,
  "security.md": securityDocument,
};

const asked = process.argv.slice(2);
for (const [name, make] of Object.entries(documents)) {
  if (asked.length === 0 || asked.includes(name)) await writeFile(inRepository(`docs/${name}`), await make());
}
