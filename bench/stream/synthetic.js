import { register } from "node:module";

// `node --import` of this file gives the service the addon that makes samples up, built by build.sh: what is shipped knows nothing of it.
register("./replace.js", import.meta.url);
