import { Session, SessionSpec } from "@latscope/proto";
import { expect, it, vi } from "vitest";
import { authority } from "../auth/policy/authority.js";
import { everything } from "../auth/policy/targets.js";
import { SessionDouble } from "../testing/collector-double.js";
import { SessionRecord } from "./record.js";
import { shown } from "./shown.js";

const spec = SessionSpec.fromPartial({ probes: [{ kind: { $case: "tcp", value: {} } }], filters: [{ comms: ["db"] }] });
const redacted = SessionSpec.fromPartial({ probes: spec.probes, filters: [{}] });
const message = Session.fromPartial({
  spec,
  effectiveSpec: spec,
  stats: { totals: { delivered: 7n }, subscribers: 2 },
});
const scope = { principal: "uid:1", targets: undefined, redaction: undefined };
const bytes = (of: SessionSpec): Buffer => Buffer.from(SessionSpec.encode(of).finish());

function session(isWithin: boolean): SessionRecord {
  const record = new SessionRecord("a", { owner: "uid:1", displayName: "", labels: {}, spec, grant: { spec, scope } });
  record.handle = new SessionDouble(bytes(spec), { principal: "uid:1" });
  vi.spyOn(record.handle, "isWithin").mockReturnValue(isWithin);
  return record;
}

const collector = { redactSpec: () => bytes(redacted) };
const open = { role: "viewer", rule: "r", targets: everything, redaction: undefined, quota: undefined } as const;
const narrow = { ...open, targets: { ...everything, cidrs: ["10.0.0.0/8"] } };

it("is whole to its owner, and to who may see everything", () => {
  const owner = authority({ ...narrow, redaction: { comm: true } });
  expect(shown(message, session(false), { authority: owner, owner: "uid:1" }, collector)).toEqual(message);
  expect(shown(message, session(false), { authority: authority(open), owner: "uid:2" }, collector)).toEqual(message);
});

it("tells others no more than its samples do", () => {
  const seer = { authority: authority({ ...open, redaction: { comm: true } }), owner: "uid:2" };
  expect(shown(message, session(true), seer, collector)).toEqual({
    ...message,
    spec: redacted,
    effectiveSpec: redacted,
  });
});

it.each([
  [true, message.stats],
  [false, { ...message.stats, totals: undefined }],
])("tells how much was measured to who may see all of it: %s", (isWithin, stats) => {
  const seer = { authority: authority(narrow), owner: "uid:2" };
  expect(shown(message, session(isWithin), seer, collector)).toEqual({ ...message, stats });
});
