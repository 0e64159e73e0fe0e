import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createLogger } from "../log/logger.js";
import { LineQueue, type LineSink } from "./line-queue.js";

/** A sink that takes lines only while it is open, and lets a test wait for each attempt. */
class Gate implements LineSink {
  readonly name = "the gate";
  readonly lines: string[] = [];
  open = true;
  closed = false;
  attempts = 0;
  #waiters: (() => void)[] = [];

  async write(lines: readonly string[]): Promise<void> {
    await Promise.resolve();
    this.attempts += 1;
    for (const waiter of this.#waiters.splice(0)) waiter();
    if (!this.open) throw new Error("no room");
    this.lines.push(...lines);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  attempted(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}

async function queueOver(sink: Gate, most: number) {
  const log = await createLogger("silent");
  const told: string[] = [];
  log.error = (_: unknown, text?: string) => void told.push(text ?? "");
  log.warn = (_: unknown, text?: string) => void told.push(text ?? "");
  const queue = new LineQueue({ sink, log, most, retryMs: 1, lossLine: ({ count }) => `lost ${count}\n` });
  return { queue, told };
}

describe("a queue of lines", () => {
  it("writes what it is given, in order", async () => {
    const sink = new Gate();
    const { queue } = await queueOver(sink, 1000);
    for (const line of ["a\n", "b\n", "c\n"]) queue.push(line);
    await queue.close();
    expect(sink.lines).toEqual(["a\n", "b\n", "c\n"]);
    expect([queue.written, queue.lost, queue.failing, sink.closed]).toEqual([3, 0, "", true]);
  });

  it("keeps what finds no sink, loses what finds no room, and tells it in the next line that gets through", async () => {
    const sink = new Gate();
    sink.open = false;
    const { queue, told } = await queueOver(sink, 8);
    for (const line of ["one\n", "two\n", "three\n", "four\n"]) queue.push(line);
    await sink.attempted();
    await sink.attempted();
    expect([queue.written, queue.lost, queue.failing]).toEqual([0, 2, "no room"]);
    sink.open = true;
    await sink.attempted();
    await delay(0);
    queue.push("five\n");
    await queue.close();
    expect(sink.lines).toEqual(["lost 2\n", "one\n", "two\n", "five\n"]);
    expect([queue.written, queue.lost, queue.failing]).toEqual([3, 2, ""]);
    expect(told).toEqual(["the gate cannot be written: no room", "the gate can be written again"]);
  });

  it("counts as lost what comes after its end", async () => {
    const sink = new Gate();
    const { queue } = await queueOver(sink, 1000);
    await queue.close();
    queue.push("late\n");
    expect([sink.lines, queue.lost]).toEqual([[], 1]);
  });

  it("ends also while its sink takes nothing", async () => {
    const sink = new Gate();
    sink.open = false;
    const { queue } = await queueOver(sink, 1000);
    queue.push("a\n");
    await queue.close();
    expect([queue.written, sink.closed]).toEqual([0, true]);
  });
});
