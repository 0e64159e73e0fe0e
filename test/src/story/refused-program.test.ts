import { describe, expect, test } from "vitest";

import { ALL_TCP } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { failureOf } from "../harness/failure.js";
import { Namespace } from "../harness/netns.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";

/** What the verifier says of a program that reads a register which nobody has written. */
const WHY = "R5 !read_ok";

describe("a program that the verifier refuses", () => {
  const scope = scopeOfEachTest();

  test("is told to the client with the end of the verifier's log, and to the service's log with all of it", async () => {
    const namespace = await Namespace.create(scope);
    const { client, process } = await Service.start(scope, namespace, { synthetic: "refuse=1" });
    const failure = await failureOf(client.create(ALL_TCP));
    expect(failure).toMatchObject({ code: "FAILED_PRECONDITION", reason: "PROGRAM_REFUSED" });
    expect(failure.message).toContain("the kernel refused program latscope_empty: Permission denied");
    const { verifier_log_tail: tail = "", program } = failure.metadata;
    expect(program).toBe("latscope_empty");
    expect(tail).toContain(WHY);
    const whole = (): string | undefined => {
      const lines = process.stderr.split("\n").filter((line) => line.includes("PROGRAM_REFUSED"));
      return lines.map((line) => (JSON.parse(line) as { more?: string }).more).find((more) => more !== undefined);
    };
    await eventually("the log is written", () => whole() !== undefined);
    expect(whole()).toContain("0: R1=ctx() R10=fp0");
    expect(whole()?.trimEnd().endsWith(tail.trimEnd())).toBe(true);
    const stream = client.stream({ spec: ALL_TCP });
    const { details } = await stream.failure();
    expect(details).toBe(failure.message);
  });
});
