import { fileURLToPath, URL } from "node:url";

const shipped = new URL("../../kernel-rs/addon/index.js", import.meta.url).href;
const synthetic = fileURLToPath(new URL("dist/latscope.node", import.meta.url));

/** The shipped addon's own module, with the bench's build in the place of its binary. */
export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (url !== shipped) return loaded;
  return { ...loaded, source: String(loaded.source).replace("./latscope.node", synthetic) };
}
