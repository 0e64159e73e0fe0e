import type { Logger } from "../log/logger.js";

/** Sends assignments, a line each, to the socket that a supervisor listens on; throws where they cannot be delivered at once. */
export type Notify = (socket: string, assignments: string) => void;

/** What `systemd` puts into the environment of a service of `Type=notify` (sd_notify(3), sd_watchdog_enabled(3)). */
export interface SupervisorVariables {
  socket: string | undefined;
  /** Within what time the next sign of life is wanted; undefined = none is. */
  watchdogMs: number | undefined;
}

/** Reads the variables, and takes them out of the environment: they are not for children. */
export function takeSupervisorVariables(environment: NodeJS.ProcessEnv, pid: number): SupervisorVariables {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: time, WATCHDOG_PID: forWhom } = environment;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) Reflect.deleteProperty(environment, name);
  const forUs = forWhom === undefined || forWhom === String(pid);
  const microseconds = forUs ? Number(time) : NaN;
  return { socket, watchdogMs: microseconds > 0 ? microseconds / 1000 : undefined };
}

/** Tells whoever started the service how it is; without somebody who listens it tells nobody. */
export class Supervisor {
  readonly #variables: SupervisorVariables;
  readonly #notify: Notify;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #telling = true;

  constructor(variables: SupervisorVariables, notify: Notify, log: Logger) {
    this.#variables = variables;
    this.#notify = notify;
    this.#log = log;
  }

  /**
   * Says that the service serves, and from now on that it lives: twice within the watchdog's time, each time when `settle` has settled.
   * @param settle goes through what must not hang; whether it fails does not matter
   */
  ready(settle: () => Promise<unknown>): void {
    this.#tell("READY=1");
    const { watchdogMs, socket } = this.#variables;
    if (watchdogMs === undefined || socket === undefined) return;
    let waiting = false;
    this.#timer = setInterval(() => {
      if (waiting) return;
      waiting = true;
      void settle()
        .catch(() => undefined)
        .then(() => {
          waiting = false;
          if (this.#timer !== undefined) this.#tell("WATCHDOG=1");
        });
    }, watchdogMs / 2).unref();
  }

  /** Says that files are read again, then that this is done. */
  async reloading(work: () => Promise<void>): Promise<void> {
    this.#tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    try {
      await work();
    } finally {
      this.#tell("READY=1");
    }
  }

  /** Says that the service ends. Signs of life go on until `close`: draining may take its time. */
  stopping(): void {
    this.#tell("STOPPING=1");
  }

  /** Says nothing more. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tell(assignments: string): void {
    const { socket } = this.#variables;
    if (socket === undefined) return;
    try {
      this.#notify(socket, assignments);
      this.#telling = true;
    } catch (error) {
      // Once for each time that it begins: the watchdog comes back every few seconds.
      if (this.#telling)
        this.#log.warn({ error: String(error) }, `the supervisor at ${socket} cannot be told anything`);
      this.#telling = false;
    }
  }
}
