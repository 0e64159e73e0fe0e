import { setFlagsFromString } from "node:v8";

/**
 * Sets V8's flags; before anything large is imported. Loading the service makes garbage enough for V8 to let the space of young
 * objects grow from 1 to 16 MiB, which an idle service then holds for ever. What a service that streams makes young is a few
 * small objects for each message: batches are outside V8's heap.
 */
export function keepHeapSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
