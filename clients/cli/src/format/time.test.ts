import { afterAll, beforeAll, expect, test } from "vitest";
import { Clock, dateAndTime, nanoseconds } from "./time.js";

const zone = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "Asia/Kolkata";
});
afterAll(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

test("a time of day is local, to the millisecond, never rounded up", () => {
  const clock = new Clock();
  expect(clock.timeOfDay(1_700_000_000_218_999_999n)).toBe("03:43:20.218");
  expect(clock.timeOfDay(1_700_000_000_999_999_999n)).toBe("03:43:20.999");
  expect(clock.timeOfDay(1_700_000_001_000_000_000n)).toBe("03:43:21.000");
});

test("nanoseconds are exact", () => {
  expect(nanoseconds({ seconds: 9_007_199n, nanos: 254_740_993 })).toBe(9_007_199_254_740_993n);
  expect(nanoseconds(undefined)).toBe(0n);
});

test("a date is UTC, to the second", () => {
  expect(dateAndTime({ seconds: 1_700_000_000n })).toBe("2023-11-14 22:13:20Z");
  expect(dateAndTime(undefined)).toBe("-");
});
