import { Metric, SessionSpec } from "@latscope/proto";
import { expect, it } from "vitest";
import type { Failure } from "../../failure/failure.js";
import { authority } from "./authority.js";
import type { Role } from "./role.js";
import { maySee, refuseChange } from "./session.js";
import { everything, type Targets } from "./targets.js";

const of = (role: Role, targets: Targets = everything) =>
  authority({ role, rule: "r", targets, redaction: undefined, quota: undefined });

it.each<[Role, string, string | undefined]>([
  ["operator", "uid:1", undefined],
  ["operator", "uid:2", "NOT_OWNER"],
  ["operator", "", "NOT_OWNER"],
  ["operator", "file:edge", "OWNED_BY_FILE"],
  ["admin", "uid:2", undefined],
  ["admin", "file:edge", "OWNED_BY_FILE"],
])("%s uid:1 changing a session of %j: %s", (role, owner, reason) => {
  const change = (): string | undefined => {
    try {
      refuseChange(of(role), "uid:1", { name: "sessions/a", owner });
      return undefined;
    } catch (error) {
      return (error as Failure).reason;
    }
  };
  expect(change()).toBe(reason);
});

it("lets nobody change a file's session, not even who bears the file's name", () => {
  expect(() => {
    refuseChange(of("admin"), "file:edge", { name: "sessions/a", owner: "file:edge" });
  }).toThrow("change the file");
});

it("shows a session to its owner, to admins, and to who may read some of it", () => {
  const measures = SessionSpec.fromPartial({
    probes: [{ kind: { $case: "tcp", value: { metrics: [Metric.TCP_RTT] } } }, { kind: { $case: "dns", value: {} } }],
  });
  const session = { owner: "uid:2", measures };
  const only = (...metrics: Metric[]): Targets => ({ ...everything, metrics });
  expect(maySee(of("viewer"), "uid:1", session)).toBe(true);
  expect(maySee(of("viewer", only(Metric.DNS_REPLY)), "uid:1", session)).toBe(true);
  expect(maySee(of("operator", only(Metric.SYSCALL)), "uid:1", session)).toBe(false);
  expect(maySee(of("operator", only(Metric.SYSCALL)), "uid:2", session)).toBe(true);
  expect(maySee(of("admin", only(Metric.SYSCALL)), "uid:1", session)).toBe(true);
  expect(maySee(of("viewer", { ...everything, networkNamespaces: ["/x"] }), "uid:1", session)).toBe(false);
});
