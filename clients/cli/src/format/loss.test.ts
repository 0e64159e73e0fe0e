import { Loss, LossStage, Refusal } from "@latscope/proto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lossLine, lossPart, refusalPart } from "./loss.js";
import { Clock } from "./time.js";

const zone = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "UTC";
});
afterAll(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

test("a loss as it happens", () => {
  const loss = Loss.fromPartial({
    stage: LossStage.KERNEL_RING_FULL,
    count: 120n,
    firstTime: { seconds: 1_700_000_000n, nanos: 218_000_000 },
    lastTime: { seconds: 1_700_000_001n, nanos: 1_000_000 },
  });
  expect(lossLine(loss, new Clock())).toBe("lost 120 samples: kernel ring full (22:13:20.218 to 22:13:21.001)");
  expect(lossLine(Loss.fromPartial({ stage: LossStage.SUBSCRIBER_QUEUE, count: 1n }), new Clock())).toBe(
    "lost 1 sample: read too slowly",
  );
});

test("every stage and reason of the contract has words; a newer one its number", () => {
  const loss = (stage: number) => lossPart(Loss.decode(Uint8Array.of(0x08, stage, 0x10, 3)));
  const refusal = (reason: number) => refusalPart(Refusal.decode(Uint8Array.of(0x08, reason, 0x10, 3)));
  for (let stage = 1; stage <= 7; stage += 1) expect(loss(stage)).toMatch(/^3 [a-z ]+$/);
  for (let reason = 1; reason <= 10; reason += 1) expect(refusal(reason)).toMatch(/^3 [a-zA-Z ]+$/);
  expect(loss(42)).toBe("3 at stage 42");
  expect(refusal(42)).toBe("3 for reason 42");
});
