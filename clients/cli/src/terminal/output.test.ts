import { PassThrough, Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { isReaderGone, Output } from "./output.js";

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  await setImmediate();
  return done;
}

test("a write waits for its reader", async () => {
  const pipe = new PassThrough({ highWaterMark: 4 });
  const output = new Output(pipe);
  await output.write("ab");
  const full = output.writeLines(["cd", "ef"]);
  expect(await settled(full)).toBe(false);
  expect(String(pipe.read())).toBe("abcd\nef\n");
  await full;
});

test("a write does not wait for a reader that is gone", async () => {
  const broken = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
  const stream = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      done(broken);
    },
  });
  const output = new Output(stream);
  await output.write("abc");
  await output.write("def");
  expect(output.gone.aborted).toBe(true);
  expect(isReaderGone(output.gone.reason)).toBe(true);
});

test("a write does not wait once it is given up", async () => {
  const pipe = new PassThrough({ highWaterMark: 1 });
  const giveUp = new AbortController();
  const stuck = new Output(pipe).write("abc", giveUp.signal);
  expect(await settled(stuck)).toBe(false);
  giveUp.abort();
  await stuck;
});

test("a full disk is more than a reader that left", () => {
  expect(isReaderGone(Object.assign(new Error("write ENOSPC"), { code: "ENOSPC" }))).toBe(false);
  expect(isReaderGone(undefined)).toBe(false);
});
