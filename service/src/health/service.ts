import {
  status as codes,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import {
  HealthService,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthListRequest,
  type HealthListResponse,
  type HealthServer,
} from "@latscope/proto/grpc/health";
import { Latch } from "../rpc/latch.js";
import { Outgoing } from "../rpc/outgoing.js";
import { ServingStatus, type Health } from "./health.js";

export const healthDefinition = HealthService;

/** grpc.health.v1.Health. Its clients are probes: they get plain statuses, and they are answered while the service drains. */
export function healthService(health: Health): HealthServer {
  return { check: check(health), list: list(health), watch: watch(health) };
}

function check(health: Health): handleUnaryCall<HealthCheckRequest, HealthCheckResponse> {
  return (call, callback) => {
    const { service } = call.request;
    const status = health.of(service);
    if (status === undefined) callback({ code: codes.NOT_FOUND, details: `no service ${service}` });
    else callback(null, { status });
  };
}

function list(health: Health): handleUnaryCall<HealthListRequest, HealthListResponse> {
  return (_call, callback) => {
    callback(null, {
      statuses: Object.fromEntries([...health.all()].map(([service, status]) => [service, { status }])),
    });
  };
}

function watch(health: Health): handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse> {
  return (call) => {
    void tellChanges(health, call);
  };
}

async function tellChanges(
  health: Health,
  call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>,
): Promise<void> {
  const outgoing = new Outgoing<HealthCheckResponse>(call);
  const changed = new Latch();
  const open = (): void => {
    changed.open();
  };
  const unsubscribe = health.subscribe(open);
  outgoing.signal.addEventListener("abort", open);
  let told: ServingStatus | undefined;
  while (!outgoing.signal.aborted) {
    const status = health.of(call.request.service) ?? ServingStatus.SERVICE_UNKNOWN;
    if (status !== told) await outgoing.write({ status });
    told = status;
    // Nothing follows a drain, and an open stream would hold it up.
    if (health.of("") === ServingStatus.NOT_SERVING) break;
    await changed.wait();
  }
  unsubscribe();
  call.end();
}
