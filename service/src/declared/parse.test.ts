import { GroupBy, Metric } from "@latscope/proto";
import { describe, expect, it } from "vitest";
import { parseSession } from "./parse.js";

const read = (text: string, file = "edge.yaml") => parseSession(file, Buffer.from(text));

describe("a session file", () => {
  const yaml = `
# Both ways to write a name are right.
display_name: Edge
labels: { team: net }
spec:
  probes:
    - tcp: { metrics: [METRIC_TCP_RTT] }
  filters:
    - cidrs: [10.0.0.0/8]
      server_ports: [{ first: 443 }]
  collection: { group_by: [GROUP_BY_COMM], maxGroups: 7 }
  limits:
    duration: 90s
    idle_timeout: 1.5s
    history_bytes: "1048576"
    maxSamples: 12
`;

  it("is a session in the JSON form of protobuf, as YAML", async () => {
    const { id, displayName, labels, spec } = await read(yaml);
    expect([id, displayName, labels]).toEqual(["edge", "Edge", { team: "net" }]);
    expect(spec).toMatchObject({
      probes: [{ kind: { $case: "tcp", value: { metrics: [Metric.TCP_RTT] } } }],
      filters: [{ cidrs: ["10.0.0.0/8"], serverPorts: [{ first: 443 }] }],
      collection: { groupBy: [GroupBy.COMM], maxGroups: 7 },
      limits: {
        duration: { seconds: 90n, nanos: 0 },
        idleTimeout: { seconds: 1n, nanos: 500_000_000 },
        historyBytes: 1_048_576n,
        maxSamples: 12n,
      },
    });
  });

  it("is the same as JSON, indented with tabs too", async () => {
    const json = { displayName: "Edge", spec: { probes: [{ runQueue: {} }], limits: { maxSamples: "12" } } };
    const { displayName, spec } = await read(JSON.stringify(json, undefined, "\t"), "edge.json");
    expect(displayName).toBe("Edge");
    expect(spec).toMatchObject({ probes: [{ kind: { $case: "runQueue" } }], limits: { maxSamples: 12n } });
  });

  it("knows the lines of its fields, however they are written", async () => {
    const { lineOf } = await read(yaml);
    const lines = ["labels", "spec.filters[0].cidrs[0]", "spec.filters[0].server_ports", "spec.limits.max_samples"];
    expect(lines.map((field) => lineOf(field))).toEqual([4, 9, 10, 16]);
    expect(lineOf("spec.collection.max_groups")).toBe(11);
    expect(lineOf("spec.exclude[3]")).toBe(5);
    expect(lineOf("")).toBe(1);
  });
});

describe("a file that declares no session", () => {
  it.each([
    [
      "a field that does not exist",
      "spec:\n  limits:\n    durations: 5s",
      'e.yaml:3: latscope.v1.Limits has no field "durations"; did you mean "duration"?',
    ],
    [
      "a field far from any",
      "spec:\n  whatever_else: 5s",
      'e.yaml:2: latscope.v1.SessionSpec has no field "whatever_else"; docs/api.md has all that there are',
    ],
    ["a value of the wrong kind", "spec:\n  filters:\n    - cidrs: 10.0.0.0/8", "e.yaml:3: cidrs: "],
    [
      "a value that does not exist",
      "spec:\n  probes:\n    - tcp: {}\n    - tcp:\n        metrics: [METRIC_NONE]",
      "e.yaml:5: metrics: ",
    ],
    ["a time without its unit", "spec:\n  limits:\n    retain: 5\n", "e.yaml:3: "],
    ["two probes in one", "spec:\n  probes:\n    - tcp: {}\n      run_queue: {}", "e.yaml:3: "],
    ["a field twice", "labels: {}\nlabels: {}", "e.yaml:2: Map keys must be unique"],
    ["no YAML", "spec:\n  probes: [", "e.yaml:2: "],
    ["another tag", "spec: !secret x", "e.yaml:1: "],
    ["nothing", "", "e.yaml:1: is no latscope.v1.Session: null"],
    ["a list", "- spec: {}", "e.yaml:1: is no latscope.v1.Session: "],
    [
      "what the service says",
      "labels: {}\nowner: me\nname: sessions/e",
      "e.yaml:2: owner is not for a file to say; display_name, labels, spec are\ne.yaml:3: name is not for a file to say",
    ],
    ["a label too long", `spec: {}\nlabels: { a: ${"b".repeat(256)} }`, "e.yaml:2: labels"],
    ["a name too long", `spec: {}\ndisplay_name: ${"b".repeat(256)}`, "e.yaml:2: display_name: has 256 characters"],
  ])("with %s tells where", async (_, text, message) => {
    const error = await read(text, "e.yaml").then(
      () => undefined,
      (error: unknown) => error,
    );
    expect((error as Error).name).toBe("SessionFileError");
    expect((error as Error).message.slice(0, message.length)).toBe(message);
  });

  it("tells every wrong line, in order", async () => {
    const text = "spec:\n  filter: []\n  limits: { retain: 1 }\n  filters:\n    - comm: [a]\n      ports: [b]";
    const error = await read(text, "e.yaml").catch((error: unknown) => error as Error);
    const lines = (error as Error).message.split("\n").map((line) => line.replace(/^(e\.yaml:\d+): .*/, "$1"));
    expect(lines).toEqual(["e.yaml:2", "e.yaml:3", "e.yaml:5", "e.yaml:6"]);
  });

  it("is one whose name is no session id", async () => {
    await expect(read("spec: {}", "Edge.yaml")).rejects.toThrow(/^Edge\.yaml:1: file name: "Edge" is not a session id/);
  });

  it("may not be larger than a request, nor grow when it is read", async () => {
    await expect(read(`#${" ".repeat(262_144)}\nspec: {}`)).rejects.toThrow("has 262154 bytes, at most 262144");
    const bombs = Array.from({ length: 9 }, (_, n) => `a${n}: &a${n} [${`*a${n - 1}, `.repeat(9)}]`);
    const bomb = ["a: &a-1 [x]", ...bombs].join("\n");
    await expect(read(bomb)).rejects.toThrow(/^edge\.yaml:1: Excessive alias count/);
  });
});
