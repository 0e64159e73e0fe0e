import { describe, expect, it, test } from "vitest";
import { nextStep, type Load } from "./step.js";
import { CpuWindow } from "./window.js";

const ceilings = { cpuShare: 0.02, memory: 1000 };
const load = (given: Partial<Load>): Load => ({
  cpuShare: 0.01,
  memory: 1000,
  thinned: 0,
  windowsSinceStep: 10,
  ...given,
});

describe("what the guard does", () => {
  test.each<[string, Partial<Load>, ReturnType<typeof nextStep>]>([
    ["nothing below the ceilings", {}, undefined],
    ["nothing at the ceiling itself", { cpuShare: 0.02 }, undefined],
    ["nothing while the share is not known", { cpuShare: undefined, thinned: 2 }, undefined],
    ["a step of thinning above it", { cpuShare: 0.021 }, "thin"],
    ["another one", { cpuShare: 0.021, thinned: 2 }, "thin"],
    ["a stop when there is nothing left to thin", { cpuShare: 0.021, thinned: 3 }, "stop"],
    ["nothing before the last step can be seen", { cpuShare: 1, windowsSinceStep: 0.9 }, undefined],
    ["a stop for memory, which thinning does not free", { memory: 1001 }, "stop"],
    ["no restoration just below the ceiling", { cpuShare: 0.011, thinned: 1 }, undefined],
    ["a restoration below half of it", { cpuShare: 0.009, thinned: 1 }, "restore"],
    ["no restoration soon after a step", { cpuShare: 0, thinned: 1, windowsSinceStep: 2.9 }, undefined],
    ["none where nothing is thinned", { cpuShare: 0 }, undefined],
  ])("%s", (_, given, step) => {
    expect(nextStep(load(given), ceilings)).toBe(step);
  });
});

describe("the share of the host's processors", () => {
  it("is known after a whole window, and forgets what was before", () => {
    const window = new CpuWindow(1000, 4);
    window.add(0, 5_000_000n);
    window.add(500, 45_000_000n);
    expect(window.share()).toBeUndefined();
    window.add(1000, 85_000_000n);
    expect(window.share()).toBe(0.02);
    window.add(1500, 85_000_000n);
    expect(window.share()).toBe(0.01);
    window.clear();
    expect(window.share()).toBeUndefined();
  });

  it("does not fall when a program goes away", () => {
    const window = new CpuWindow(1000, 1);
    window.add(0, 900_000_000n);
    window.add(500, 910_000_000n);
    window.add(1000, 10_000_000n);
    expect(window.share()).toBe(0.01);
  });
});
