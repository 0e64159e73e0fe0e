import { readFileSync } from "node:fs";

/** The version of this service. */
export const version = readVersion(new URL("../../package.json", import.meta.url));

function readVersion(file: URL): string {
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
