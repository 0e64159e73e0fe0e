import { readFile } from "node:fs/promises";

import { accessTable } from "../access/table.js";
import { inRepository } from "../harness/paths.js";

const BEGIN = "<!-- made by `npm run docs` from the calls of test/src/access, which CI makes again -->";
const END = "<!-- until here -->";

/** The part of docs/security.md that is made of calls. @throws when the document has no such part */
export function madePart(document: string): string {
  const [, rest] = document.split(`${BEGIN}\n\n`);
  const [part, after] = rest?.split(`\n\n${END}`) ?? [];
  if (part === undefined || after === undefined)
    throw new Error("docs/security.md has lost the marks around its table");
  return part;
}

/** docs/security.md with the table made anew. */
export async function securityDocument(): Promise<string> {
  const document = await readFile(inRepository("docs/security.md"), "utf8");
  const before = madePart(document);
  const made = await accessTable();
  return document.replace(`${BEGIN}\n\n${before}\n\n${END}`, () => `${BEGIN}\n\n${made}\n\n${END}`);
}
