const checkMs = 500;

/**
 * Makes the end of the parent process a SIGTERM where npm started us (npx, npm start): it does so through a shell, which dies of a
 * signal without passing it on. Elsewhere a process that outlives its parent is meant to.
 */
export function endWithParent(environment: NodeJS.ProcessEnv): void {
  if (environment["npm_command"] === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, checkMs).unref();
}
