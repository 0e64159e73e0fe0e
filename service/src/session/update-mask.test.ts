import { Session } from "@latscope/proto";
import { describe, expect, it } from "vitest";
import { applyMask, legalPaths } from "./update-mask.js";

const current = Session.fromPartial({
  displayName: "old",
  labels: { a: "1" },
  spec: {
    probes: [{ kind: { $case: "tcp", value: {} } }],
    filters: [{ cidrs: ["10.0.0.0/8"] }],
    limits: { maxSamples: 5n, duration: { seconds: 60n } },
  },
});
const fields = { ...current, spec: current.spec ?? expect.fail() };
const update = Session.fromPartial({
  displayName: "new",
  labels: { b: "2" },
  spec: { filters: [{ ports: [{ first: 443 }] }], collection: { maxSamplesPerSecond: 10 }, limits: { maxSamples: 9n } },
});

describe("applyMask", () => {
  it("changes what the mask names and nothing else", () => {
    expect(applyMask(fields, update, ["display_name"])).toEqual({
      displayName: "new",
      labels: { a: "1" },
      spec: fields.spec,
    });
    const { spec } = applyMask(fields, update, [
      "spec.filters",
      "spec.limits.max_samples",
      "spec.collection.max_samples_per_second",
    ]);
    expect(spec.probes).toEqual(fields.spec.probes);
    expect(spec.filters).toEqual(update.spec?.filters);
    expect(spec.limits).toEqual({ ...fields.spec.limits, maxSamples: 9n });
    expect(spec.collection?.maxSamplesPerSecond).toBe(10);
    expect(fields.spec.filters).toEqual(current.spec?.filters);
  });

  it("unsets what the mask names and the update lacks", () => {
    const { labels, spec } = applyMask(fields, Session.fromPartial({}), ["labels", "spec.limits"]);
    expect(labels).toEqual({});
    expect(spec.limits).toBeUndefined();
  });

  it("accepts every legal path", () => {
    for (const path of legalPaths) applyMask(fields, update, [path]);
  });

  it("refuses an empty mask and names the legal paths", () => {
    expect(() => applyMask(fields, update, [])).toThrow(/^update_mask: is empty; legal paths: display_name, labels/);
  });

  it("names every illegal path at once", () => {
    expect(() => applyMask(fields, update, ["spec.probes", "labels", "spec.limits.x"])).toThrow(
      expect.objectContaining({
        reason: "UPDATE_MASK_INVALID",
        details: {
          violations: [
            { field: "update_mask", description: expect.stringMatching(/^"spec.probes" cannot be updated/) as unknown },
            {
              field: "update_mask",
              description: expect.stringMatching(/^"spec.limits.x" cannot be updated/) as unknown,
            },
          ],
        },
      }),
    );
  });
});
