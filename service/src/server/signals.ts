const signals = ["SIGTERM", "SIGINT"] as const;

/** Resolves at the first SIGTERM or SIGINT. A second one ends the process at once, as if there were no handler. */
export function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const first = (signal: NodeJS.Signals): void => {
      for (const name of signals) process.off(name, first);
      resolve(signal);
    };
    for (const name of signals) process.on(name, first);
  });
}

/** Does this at each SIGHUP: the files that the service works with are to be read again. */
export function onHangUp(action: () => Promise<void>): void {
  process.on("SIGHUP", () => void action());
}
