import { expect, test } from "vitest";
import { bytes } from "./bytes.js";

test.each([
  [0n, "0 B"],
  [1023n, "1023 B"],
  [1024n, "1.0 KiB"],
  [18_245_222n, "17.4 MiB"],
  [1n << 60n, "1048576.0 TiB"],
])("%d bytes are %s", (count, expected) => {
  expect(bytes(count)).toBe(expected);
});
