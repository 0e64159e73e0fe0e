// Prints the folders of the packages that the command needs at run time, one a line, from package-lock.json: what npm would install
// with `--omit=dev`, found without asking npm, which also lists what only lies about.
import { readFileSync } from "node:fs";

const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
const found = new Set();

/** Node's own way: next to the package, then up the tree. */
function locate(name, from) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === "") return undefined;
  }
}

function take(path) {
  if (found.has(path)) return;
  found.add(path);
  const { link, resolved } = packages[path];
  const folder = link === true ? resolved : path;
  const { dependencies = {}, optionalDependencies = {} } = packages[folder];
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const next = locate(name, link === true ? "" : folder);
    if (next !== undefined) take(next);
    else if (!(name in optionalDependencies))
      throw new Error(`${name}, which ${path} needs, is not in package-lock.json`);
  }
}

take("node_modules/@latscope/cli");
process.stdout.write([...found].sort().join("\n") + "\n");
