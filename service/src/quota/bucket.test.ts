import { expect, it } from "vitest";
import { TokenBucket } from "./bucket.js";

it("lets a second's worth through at once, more on credit, and the rate in the long run", () => {
  let now = 0;
  const bucket = new TokenBucket(1000, () => now);
  bucket.take(1000);
  expect([bucket.waitMs(), bucket.full]).toEqual([0, false]);
  bucket.take(500);
  expect(bucket.waitMs()).toBe(500);
  now += 499;
  expect(bucket.waitMs()).toBe(1);
  now += 1;
  expect(bucket.waitMs()).toBe(0);
  bucket.take(10_000);
  expect(bucket.waitMs()).toBe(10_000);
  now += 11_000;
  expect([bucket.waitMs(), bucket.full]).toEqual([0, true]);
  let sent = 0;
  for (const end = now + 60_000; now < end;) {
    bucket.take(300);
    sent += 300;
    now += Math.max(1, bucket.waitMs());
  }
  // The first second's worth, and what the last one still owes.
  expect(sent).toBeGreaterThanOrEqual(61_000);
  expect(sent).toBeLessThanOrEqual(61_300);
});
