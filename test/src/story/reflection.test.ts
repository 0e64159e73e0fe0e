import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { run } from "../harness/command.js";
import { grpcurl } from "../harness/grpcurl.js";
import { Namespace } from "../harness/netns.js";
import { inRepository } from "../harness/paths.js";
import { Scope } from "../harness/scope.js";
import { Service } from "../harness/service.js";

const SERVICES = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "latscope.v1.NodeService",
  "latscope.v1.SampleService",
  "latscope.v1.SessionService",
];

const scope = new Scope();
let service: Service;

beforeAll(async () => {
  service = await Service.start(scope, await Namespace.create(scope));
});

afterAll(() => scope.close());

describe("grpcurl", () => {
  test("lists the services", async () => {
    const { code, stdout } = await grpcurl(service.socket, ["list"]);
    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toEqual(SERVICES);
  });

  test("describes a method, a message with imports, a map field and an enum", async () => {
    const describeSymbol = async (symbol: string): Promise<string> => {
      return (await grpcurl(service.socket, ["describe", symbol])).stdout;
    };
    expect(await describeSymbol("latscope.v1.SampleService.StreamSamples")).toContain(
      "returns ( stream .latscope.v1.StreamSamplesResponse )",
    );
    expect(await describeSymbol("latscope.v1.Sample")).toContain(".google.protobuf.Duration latency = 2;");
    expect(await describeSymbol("latscope.v1.Session")).toContain("map<string, string> labels = 3;");
    expect(await describeSymbol("latscope.v1.Metric")).toContain("METRIC_TCP_RTT = 3;");
  });

  test("prints a request to start from", async () => {
    const request = "latscope.v1.StreamSamplesRequest";
    const { code, stdout } = await grpcurl(service.socket, ["describe", request], undefined, ["-msg-template"]);
    expect(code).toBe(0);
    expect(stdout).toContain('"maxSamples": "0"');
  });

  test("calls with a request in JSON", async () => {
    const { code, stdout } = await grpcurl(service.socket, ["latscope.v1.NodeService/GetCapabilities"], {});
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ nodes: [{ node: "nodes/test-node" }] });
  });

  test("shows a refusal with its field", async () => {
    const bad = { spec: { probes: [{ tcp: {} }], filters: [{ cidrs: ["10.0.0.0/99"] }] } };
    const { code, stderr } = await grpcurl(service.socket, ["latscope.v1.SampleService/StreamSamples"], bad);
    expect(code).not.toBe(0);
    expect(stderr).toContain("Code: InvalidArgument");
    expect(stderr).toContain("spec.filters[0].cidrs[0]");
    expect(stderr).toContain("CIDR_INVALID");
  });

  test.each(["", ...SERVICES.filter((name) => name.startsWith("latscope."))])(
    "health of %j is SERVING",
    async (name) => {
      const { stdout } = await grpcurl(service.socket, ["grpc.health.v1.Health/Check"], { service: name });
      expect(JSON.parse(stdout)).toEqual({ status: "SERVING" });
    },
  );

  test("health of an unknown service is NOT_FOUND", async () => {
    const { stderr } = await grpcurl(service.socket, ["grpc.health.v1.Health/Check"], { service: "nobody" });
    expect(stderr).toContain("Code: NotFound");
  });
});

describe("buf curl", () => {
  const buf = [inRepository("node_modules/.bin/buf"), "curl", "--protocol", "grpc", "--http2-prior-knowledge"];

  test.each(["grpc-v1", "grpc-v1alpha"])("calls by %s reflection", async (protocol) => {
    const how = ["--unix-socket", service.socket, "--reflect", "--reflect-protocol", protocol, "--data", "{}"];
    const { code, stdout, stderr } = await run([
      ...buf,
      ...how,
      "http://localhost/latscope.v1.NodeService/GetCapabilities",
    ]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ nodes: [{ node: "nodes/test-node" }] });
  });
});
