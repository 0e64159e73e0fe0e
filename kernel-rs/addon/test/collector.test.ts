import { NodeCapabilities, SessionSpec } from "@latscope/proto";
import { expect, it } from "vitest";
import { Collector } from "../index.js";

const node = "nodes/test";
const empty = Buffer.alloc(0);
const scope = { principal: "" };

it("tells every metric of the contract", async () => {
  const collector = Collector.open({ node });
  const capabilities = NodeCapabilities.decode(await collector.capabilities());
  expect(capabilities.node).toBe(node);
  expect(capabilities.capabilities.map(({ metric }) => metric)).toEqual(Array.from({ length: 25 }, (_, at) => at + 1));
  collector.close();
});

it("throws failures with their reason as code and all of it as message", async () => {
  const collector = Collector.open({ node });
  const spec = SessionSpec.fromPartial({
    probes: [{ kind: { $case: "tcp", value: {} } }],
    filters: [{ cidrs: ["10.0.0.0/8", "10.0.0.0/99"] }],
  });
  const error = await failure(collector.verify(Buffer.from(SessionSpec.encode(spec).finish()), scope));
  expect(error).toBeInstanceOf(Error);
  expect(error.code).toBe("CIDR_INVALID");
  expect(JSON.parse(error.message)).toEqual({
    status: "INVALID_ARGUMENT",
    reason: "CIDR_INVALID",
    message: 'spec.filters[0].cidrs[1]: "10.0.0.0/99" is not a CIDR (prefix length 0 to 32)',
    violations: [
      {
        field: "spec.filters[0].cidrs[1]",
        description: '"10.0.0.0/99" is not a CIDR (prefix length 0 to 32)',
      },
    ],
    precondition: [],
    quota: [],
    metadata: {},
    retryAfterMs: null,
    log: null,
  });
  collector.close();
});

it("refuses bytes that are no message", async () => {
  const collector = Collector.open({ node });
  expect((await failure(collector.verify(Buffer.from("no message"), scope))).code).toBe("MESSAGE_MALFORMED");
  expect((await failure(collector.start("s", Buffer.from([0xff]), scope))).code).toBe("MESSAGE_MALFORMED");
  collector.close();
});

it("refuses tables of a size that it cannot make", () => {
  for (const packetFlows of [0, 1023, 1_048_577]) {
    let failed: unknown;
    try {
      Collector.open({ node, packetFlows });
    } catch (error) {
      failed = error;
    }
    expect(failed).toMatchObject({ code: "FIELD_INVALID" });
  }
});

it("closes twice and says so afterwards", async () => {
  const collector = Collector.open({ node });
  collector.close();
  collector.close();
  const spec = Buffer.from(
    SessionSpec.encode(SessionSpec.fromPartial({ probes: [{ kind: { $case: "tcp", value: {} } }] })).finish(),
  );
  const late = [
    collector.capabilities(),
    collector.status(),
    collector.verify(spec, scope),
    collector.start("s", spec, scope),
  ];
  for (const promise of late) expect((await failure(promise)).code).toBe("CLOSED");
  expect((await failure(collector.verify(empty, scope))).code).toBe("FIELD_REQUIRED");
});

async function failure(promise: Promise<unknown>): Promise<Error & { code: unknown }> {
  const error: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (error instanceof Error && "code" in error) return error;
  throw new Error("it did not fail with a code", { cause: error });
}
