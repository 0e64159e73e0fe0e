import { isatty } from "node:tty";
import pino, { type Logger } from "pino";

export type { Logger } from "pino";

const stderr = 2;

/** Bytes of lines that wait for a full disk to have room; what comes beyond is lost. */
const mostWaiting = 1024 * 1024;

/**
 * The service's log, on stderr: one JSON object a line, or short lines for a person when that is a terminal.
 * Unlike what is announced at the start, it is for operators and machines.
 */
export async function createLogger(level: string): Promise<Logger> {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!isatty(stderr)) {
    const destination = pino.destination({ dest: stderr, sync: true, maxLength: mostWaiting });
    // A log that cannot be written is no reason to end, and there is nobody left to tell.
    destination.on("error", () => undefined);
    return pino(options, destination);
  }
  // Some megabytes that a service without a terminal does without.
  const { default: pretty } = await import("pino-pretty");
  const format = { messageFormat: "latscope: {msg}", hideObject: true, ignore: "time,level" };
  return pino(options, pretty({ destination: stderr, sync: true, ...format }));
}
