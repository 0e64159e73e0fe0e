import { describe, expect, it } from "vitest";
import { addonError } from "../testing/collector-double.js";
import { fromAddon, inSession } from "./from-addon.js";

describe("fromAddon", () => {
  it("reads the collector's failure", () => {
    const failure = fromAddon(
      addonError("INVALID_ARGUMENT", "CIDR_INVALID", "spec.filters[0].cidrs[1]", "is not a CIDR"),
    );
    expect(failure).toMatchObject({
      status: "INVALID_ARGUMENT",
      reason: "CIDR_INVALID",
      message: "spec.filters[0].cidrs[1]: is not a CIDR",
      details: { violations: [{ field: "spec.filters[0].cidrs[1]", description: "is not a CIDR" }] },
    });
  });

  it.each([
    new Error("plain"),
    new Error("{not json"),
    new Error(JSON.stringify({ status: "INVALID_ARGUMENT" })),
    "a string",
  ])("leaves %s to the log", (error) => {
    expect(fromAddon(error)).toBeUndefined();
  });
});

describe("inSession", () => {
  it("puts the spec where CreateSession has it", async () => {
    const work = Promise.reject(addonError("INVALID_ARGUMENT", "FIELD_REQUIRED", "spec.probes", "is empty"));
    await expect(inSession(work)).rejects.toMatchObject({
      message: "session.spec.probes: is empty",
      details: { violations: [{ field: "session.spec.probes", description: "is empty" }] },
    });
  });

  it("hands on what it does not know", async () => {
    const error = new Error("plain");
    await expect(inSession(Promise.reject(error))).rejects.toBe(error);
  });
});
