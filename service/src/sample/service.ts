import { SampleServiceService } from "@latscope/proto";
import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { identity } from "../rpc/identity.js";
import { serverStreaming } from "../rpc/server-streaming.js";
import { unary } from "../rpc/unary.js";
import type { SampleContext } from "./context.js";
import { getSnapshot } from "./get-snapshot.js";
import { streamHistograms } from "./stream-histograms.js";
import { streamSamples } from "./stream-samples.js";

/** SampleService as it is served: the streams' messages stay bytes, as the collector made them. */
export const sampleDefinition: ServiceDefinition = {
  ...SampleServiceService,
  streamSamples: { ...SampleServiceService.streamSamples, requestDeserialize: identity, responseSerialize: identity },
};

/** latscope.v1.SampleService. */
export function sampleService(context: SampleContext): UntypedServiceImplementation {
  return {
    streamSamples: serverStreaming(context, streamSamples(context)),
    streamHistograms: serverStreaming(context, streamHistograms),
    getSnapshot: unary(context, getSnapshot),
  };
}
