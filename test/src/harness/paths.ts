import { fileURLToPath } from "node:url";

/** The root of the repository, with a slash at its end. */
export const ROOT = new URL("../../../", import.meta.url);

/** A file of the repository, as a path. */
export function inRepository(path: string): string {
  return fileURLToPath(new URL(path, ROOT));
}
