import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Timers } from "./timers.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const day = 86_400_000;

it("waits longer than setTimeout can", () => {
  const action = vi.fn();
  new Timers<"t">().set("t", 60 * day, action);
  vi.advanceTimersByTime(60 * day - 1);
  expect(action).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(action).toHaveBeenCalledOnce();
});

it("replaces and clears", () => {
  const timers = new Timers<"a" | "b">();
  const [first, second, third] = [vi.fn(), vi.fn(), vi.fn()];
  timers.set("a", 10, first);
  timers.set("a", 20, second);
  timers.set("b", 10, third);
  timers.clear("b");
  vi.advanceTimersByTime(day);
  expect(first).not.toHaveBeenCalled();
  expect(second).toHaveBeenCalledOnce();
  expect(third).not.toHaveBeenCalled();
});
