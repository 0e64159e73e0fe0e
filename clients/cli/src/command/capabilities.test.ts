import { Metric, NodeCapabilities } from "@latscope/proto";
import { expect, test } from "vitest";
import { capabilityLines } from "./capabilities.js";

test("the hook in use and its minimum; without one, those that could serve and why they do not", () => {
  const node = NodeCapabilities.fromPartial({
    node: "nodes/a",
    kernelRelease: "6.18.44",
    btf: true,
    jit: true,
    lockdown: "none",
    capabilities: [
      {
        metric: Metric.TCP_RTT,
        supported: true,
        hook: "tcx",
        reason: "not shown",
        hooks: [
          { hook: "tcx", minimumKernel: "6.6", works: true },
          { hook: "clsact", minimumKernel: "5.8", works: true },
        ],
      },
      {
        metric: Metric.KERNEL_FUNCTION,
        reason: "CONFIG_KPROBES is off; fentry: EPERM\x1b",
        hooks: [
          { hook: "fentry", minimumKernel: "5.10" },
          { hook: "kprobe", minimumKernel: "5.8" },
        ],
      },
    ],
  });
  expect(capabilityLines(node)).toEqual([
    "METRIC           HOOK            MIN KERNEL  HERE",
    "tcp rtt          tcx             6.6         yes",
    "kernel function  fentry, kprobe  5.8         no    CONFIG_KPROBES is off; fentry: EPERM\\x1b",
    "nodes/a: kernel 6.18.44, BTF, JIT; 1 of 2 metrics available",
  ]);
});

test("a kernel that is locked down", () => {
  const node = NodeCapabilities.fromPartial({ node: "nodes/b", kernelRelease: "6.1", lockdown: "integrity" });
  expect(capabilityLines(node)).toEqual([
    "METRIC  HOOK  MIN KERNEL  HERE",
    "nodes/b: kernel 6.1, no BTF, no JIT, lockdown integrity; 0 of 0 metrics available",
  ]);
});
