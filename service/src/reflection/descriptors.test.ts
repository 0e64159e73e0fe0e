import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { readDescriptorSet } from "@latscope/proto/descriptors";
import { describe, expect, it } from "vitest";
import { Descriptors } from "./descriptors.js";

const descriptors = new Descriptors(await readDescriptorSet());
const namesOf = (files: Uint8Array[] | undefined): string[] | undefined =>
  files?.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);

describe("Descriptors", () => {
  it.each([
    ["latscope.v1.SessionService", "latscope/v1/session.proto"],
    ["latscope.v1.SessionService.CreateSession", "latscope/v1/session.proto"],
    ["latscope.v1.Session", "latscope/v1/session.proto"],
    [".latscope.v1.Session", "latscope/v1/session.proto"],
    ["latscope.v1.Session.etag", "latscope/v1/session.proto"],
    ["latscope.v1.Session.LabelsEntry", "latscope/v1/session.proto"],
    ["latscope.v1.StreamSamplesRequest.source", "latscope/v1/sample.proto"],
    ["latscope.v1.Metric", "latscope/v1/probe.proto"],
    ["latscope.v1.METRIC_TCP_RTT", "latscope/v1/probe.proto"],
    ["google.rpc.ErrorInfo", "google/rpc/error_details.proto"],
    ["grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"],
    ["google.protobuf.Timestamp", "google/protobuf/timestamp.proto"],
  ])("finds %s in %s", (symbol, file) => {
    expect(namesOf(descriptors.bySymbol(symbol))?.[0]).toBe(file);
  });

  it("gives a file with all that it imports, each once", () => {
    const names = namesOf(descriptors.byName("latscope/v1/sample.proto")) ?? [];
    expect(names[0]).toBe("latscope/v1/sample.proto");
    expect([...names].sort()).toEqual([
      "google/protobuf/duration.proto",
      "google/protobuf/field_mask.proto",
      "google/protobuf/timestamp.proto",
      "latscope/v1/histogram.proto",
      "latscope/v1/loss.proto",
      "latscope/v1/node.proto",
      "latscope/v1/probe.proto",
      "latscope/v1/sample.proto",
      "latscope/v1/session.proto",
    ]);
  });

  it("knows nothing of what is not there", () => {
    expect(descriptors.bySymbol("latscope.v1.Nothing")).toBeUndefined();
    expect(descriptors.byName("nothing.proto")).toBeUndefined();
    expect(descriptors.byExtension("latscope.v1.Session", 1000)).toBeUndefined();
    expect(descriptors.extensionNumbers("latscope.v1.Session")).toEqual([]);
    expect(descriptors.extensionNumbers("latscope.v1.Nothing")).toBeUndefined();
  });
});
