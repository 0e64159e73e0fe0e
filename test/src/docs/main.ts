import { writeFile } from "node:fs/promises";

import { inRepository } from "../harness/paths.js";
import { apiDocument } from "./document.js";

await writeFile(inRepository("docs/api.md"), await apiDocument());
