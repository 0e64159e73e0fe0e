import { SessionSpec } from "@latscope/proto";
import { describe, expect, it } from "vitest";
import { checkEtag, etagOf } from "./etag.js";

const spec = SessionSpec.fromPartial({ probes: [{ kind: { $case: "tcp", value: {} } }] });
const session = { name: "sessions/a", displayName: "a", labels: { x: "1", y: "2" }, spec };

describe("etagOf", () => {
  it("does not depend on the order of labels", () => {
    expect(etagOf({ ...session, labels: { y: "2", x: "1" } })).toBe(etagOf(session));
  });

  it("moves with every field that a client sets", () => {
    const others = [
      { ...session, displayName: "b" },
      { ...session, labels: { x: "1" } },
      { ...session, spec: SessionSpec.fromPartial({ ...spec, interfaces: ["eth0"] }) },
    ];
    expect(new Set([session, ...others].map(etagOf)).size).toBe(4);
  });
});

describe("checkEtag", () => {
  it("takes the current one, or none", () => {
    checkEtag("", session);
    checkEtag(etagOf(session), session);
  });

  it("refuses any other, and names the current one", () => {
    expect(() => {
      checkEtag("old", session);
    }).toThrow(
      expect.objectContaining({
        status: "ABORTED",
        details: expect.objectContaining({ metadata: { etag: etagOf(session) } }) as unknown,
      }),
    );
  });
});
