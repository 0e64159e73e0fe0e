import { sweepStaleNamespaces } from "./netns.js";

/** Once before all test files. */
export default async function setup(): Promise<void> {
  await sweepStaleNamespaces();
}
