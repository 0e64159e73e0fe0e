import { SampleServiceService } from "@latscope/proto";
import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { identity } from "../rpc/identity.js";
import { serverStreaming } from "../rpc/server-streaming.js";
import { unary } from "../rpc/unary.js";
import type { SampleContext } from "./context.js";
import { getSnapshot } from "./get-snapshot.js";
import { streamHistograms } from "./stream-histograms.js";
import { streamSamples } from "./stream-samples.js";

const bytes = { requestDeserialize: identity, responseSerialize: identity };

/** SampleService as it is served: messages stay bytes, as the collector made them. */
export const sampleDefinition: ServiceDefinition = {
  streamSamples: { ...SampleServiceService.streamSamples, ...bytes },
  streamHistograms: { ...SampleServiceService.streamHistograms, ...bytes },
  getSnapshot: { ...SampleServiceService.getSnapshot, ...bytes },
};

/** latscope.v1.SampleService. */
export function sampleService(context: SampleContext): UntypedServiceImplementation {
  return {
    streamSamples: serverStreaming(context, streamSamples(context)),
    streamHistograms: serverStreaming(context, streamHistograms(context)),
    getSnapshot: unary(context, getSnapshot(context)),
  };
}
