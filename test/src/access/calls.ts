import type { MethodDefinition } from "@grpc/grpc-js";
import {
  CreateSessionRequest,
  DeleteSessionRequest,
  GetCapabilitiesRequest,
  GetSessionRequest,
  GetSnapshotRequest,
  GetStatusRequest,
  ListNodesRequest,
  ListSessionsRequest,
  NodeServiceService,
  SampleServiceService,
  SessionServiceService,
  SessionSpec,
  SessionView,
  StopSessionRequest,
  StreamHistogramsRequest,
  StreamSamplesRequest,
  UpdateSessionRequest,
  WatchNodesRequest,
  WatchSessionsRequest,
} from "@latscope/proto";
import { HealthCheckRequest, HealthService } from "@latscope/proto/grpc/health";
import { ServerReflectionRequest, ServerReflectionService } from "@latscope/proto/grpc/reflection";

/** A method of any service. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Method = MethodDefinition<any, any>;

/** A call whose outcome is a row of the table. */
export interface Call {
  /** How the table names it. */
  readonly name: string;
  readonly method: Method;
  /** Whether it is about a session. */
  readonly ofSession: boolean;
  /** @param session the session it is about, or a name for one that it makes */
  readonly request: (session: string) => unknown;
}

/** What sessions measure here. */
export const spec = SessionSpec.fromJSON({ probes: [{ tcp: { metrics: ["METRIC_TCP_RTT"] } }], interfaces: ["lo"] });

const { sessions, samples, nodes } = {
  sessions: SessionServiceService,
  samples: SampleServiceService,
  nodes: NodeServiceService,
};
const source = { $case: "session" as const };
const ofSpec = { $case: "spec" as const, value: spec };

const call = (name: string, method: Method, ofSession: boolean, request: Call["request"]): Call => ({
  name,
  method,
  ofSession,
  request,
});

/** Every method of the contract, of health and of reflection; some in more than one way. */
export const calls: readonly Call[] = [
  call("CreateSession", sessions.createSession, false, (sessionId) =>
    CreateSessionRequest.fromPartial({ session: { spec }, sessionId }),
  ),
  call("GetSession", sessions.getSession, true, (name) => GetSessionRequest.fromPartial({ name })),
  call("GetSession, full", sessions.getSession, true, (name) =>
    GetSessionRequest.fromPartial({ name, view: SessionView.FULL }),
  ),
  call("ListSessions", sessions.listSessions, false, () => ListSessionsRequest.fromPartial({})),
  call("UpdateSession", sessions.updateSession, true, (name) =>
    UpdateSessionRequest.fromPartial({ session: { name, labels: { a: "b" } }, updateMask: ["labels"] }),
  ),
  call("StopSession", sessions.stopSession, true, (name) => StopSessionRequest.fromPartial({ name })),
  call("DeleteSession", sessions.deleteSession, true, (name) =>
    DeleteSessionRequest.fromPartial({ name, force: true }),
  ),
  call("WatchSessions", sessions.watchSessions, false, () => WatchSessionsRequest.fromPartial({})),
  call("StreamSamples", samples.streamSamples, true, (value) =>
    StreamSamplesRequest.fromPartial({ source: { ...source, value } }),
  ),
  call("StreamSamples, spec", samples.streamSamples, false, () => StreamSamplesRequest.fromPartial({ source: ofSpec })),
  call("StreamHistograms", samples.streamHistograms, true, (value) =>
    StreamHistogramsRequest.fromPartial({ source: { ...source, value } }),
  ),
  call("StreamHistograms, spec", samples.streamHistograms, false, () =>
    StreamHistogramsRequest.fromPartial({ source: ofSpec }),
  ),
  call("GetSnapshot", samples.getSnapshot, true, (session) => GetSnapshotRequest.fromPartial({ session })),
  call("GetCapabilities", nodes.getCapabilities, false, () => GetCapabilitiesRequest.fromPartial({})),
  call("GetStatus", nodes.getStatus, false, () => GetStatusRequest.fromPartial({})),
  call("ListNodes", nodes.listNodes, false, () => ListNodesRequest.fromPartial({})),
  call("WatchNodes", nodes.watchNodes, false, () => WatchNodesRequest.fromPartial({})),
  call("ServerReflectionInfo", ServerReflectionService.serverReflectionInfo, false, () =>
    ServerReflectionRequest.fromPartial({ messageRequest: { $case: "listServices", value: "" } }),
  ),
  call("Health.Check", HealthService.check, false, () => HealthCheckRequest.fromPartial({})),
  call("Health.List", HealthService.list, false, () => ({})),
  call("Health.Watch", HealthService.watch, false, () => HealthCheckRequest.fromPartial({})),
];
