/** Resolves at the first SIGTERM or SIGINT. A second one ends the process at once, as if there were no handler. */
export function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
}
