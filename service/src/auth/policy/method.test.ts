import { NodeServiceService, SampleServiceService, SessionServiceService } from "@latscope/proto";
import { HealthService } from "@latscope/proto/grpc/health";
import { expect, it } from "vitest";
import { reflectionDefinition, reflectionNames } from "../../reflection/service.js";
import { knownMethods, neededFor } from "./method.js";

it("says of every method that is served which role it takes, and of no other", () => {
  const definitions = [NodeServiceService, SampleServiceService, SessionServiceService, HealthService];
  const served = [...definitions, ...reflectionNames.map(reflectionDefinition)].flatMap((definition) =>
    Object.values(definition).map(({ path }: { path: string }) => path),
  );
  expect([...knownMethods].sort()).toEqual(served.sort());
});

it("takes a role for what nobody knows", () => {
  expect(neededFor("/a.B/C")).toBe("viewer");
  expect(neededFor("constructor")).toBe("viewer");
});
