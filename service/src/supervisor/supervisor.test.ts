import { pino } from "pino";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Supervisor, takeSupervisorVariables } from "./supervisor.js";

const quiet = pino({ enabled: false });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("takes its variables out of the environment", () => {
  const environment = { NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: "20000000", WATCHDOG_PID: "7", HOME: "/" };
  expect(takeSupervisorVariables(environment, 7)).toEqual({ socket: "/run/notify", watchdogMs: 20_000 });
  expect(environment).toEqual({ HOME: "/" });
});

it.each([
  ["another process", { WATCHDOG_USEC: "20000000", WATCHDOG_PID: "8" }],
  ["nobody", {}],
  ["nobody, with a word that is no time", { WATCHDOG_USEC: "soon" }],
])("has no watchdog when it is for %s", (_, environment) => {
  expect(takeSupervisorVariables(environment, 7).watchdogMs).toBeUndefined();
});

it("tells that it is ready, lives, reads again and stops", async () => {
  const told: string[] = [];
  const supervisor = new Supervisor({ socket: "@s", watchdogMs: 1000 }, (_, line) => void told.push(line), quiet);
  supervisor.ready(() => Promise.reject(new Error("closed")));
  await vi.advanceTimersByTimeAsync(1000);
  await supervisor.reloading(() => {
    told.push("work");
    return Promise.resolve();
  });
  supervisor.stopping();
  supervisor.close();
  await vi.advanceTimersByTimeAsync(1000);
  expect(told).toEqual([
    "READY=1",
    "WATCHDOG=1",
    "WATCHDOG=1",
    expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+$/),
    "work",
    "READY=1",
    "STOPPING=1",
  ]);
});

it("gives no sign of life while what must not hang hangs", async () => {
  const told: string[] = [];
  let settle: () => void = () => undefined;
  const supervisor = new Supervisor({ socket: "/s", watchdogMs: 1000 }, (_, line) => void told.push(line), quiet);
  supervisor.ready(() => new Promise<void>((resolve) => (settle = resolve)));
  await vi.advanceTimersByTimeAsync(5000);
  expect(told).toEqual(["READY=1"]);
  settle();
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toEqual(["READY=1", "WATCHDOG=1"]);
  supervisor.close();
});

it("goes on when nobody takes what it tells, and without anybody to tell", () => {
  const failing = new Supervisor(
    { socket: "/s", watchdogMs: undefined },
    () => {
      throw new Error("nobody listens");
    },
    quiet,
  );
  expect(() => {
    failing.stopping();
  }).not.toThrow();
  const notify = vi.fn();
  new Supervisor({ socket: undefined, watchdogMs: 1000 }, notify, quiet).stopping();
  expect(notify).not.toHaveBeenCalled();
});
