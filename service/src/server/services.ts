import type { Server } from "@grpc/grpc-js";
import { NodeServiceService, SessionServiceService } from "@latscope/proto";
import { readDescriptorSet } from "@latscope/proto/descriptors";
import type { Collector } from "../addon/types.js";
import type { Audit } from "../audit/audit.js";
import type { Policies } from "../auth/policy/policies.js";
import type { Lasting } from "../declared/lasting.js";
import type { Exporter } from "../export/start.js";
import type { Guard } from "../guard/guard.js";
import type { Health } from "../health/health.js";
import { healthDefinition, healthService } from "../health/service.js";
import type { Logger } from "../log/logger.js";
import type { ThisNode } from "../node/select.js";
import { nodeService } from "../node/service.js";
import { Descriptors } from "../reflection/descriptors.js";
import { reflectionDefinition, reflectionNames, reflectionService } from "../reflection/service.js";
import type { Quotas } from "../quota/quotas.js";
import type { StreamCount } from "../rpc/context.js";
import { withMalformed } from "../rpc/definition.js";
import { sampleDefinition, sampleService } from "../sample/service.js";
import { Replies } from "../session/replies.js";
import { sessionService } from "../session/service.js";
import type { Sessions } from "../session/sessions.js";

/** The services of the contract, by their full names. */
export const serviceNames = [
  "latscope.v1.NodeService",
  "latscope.v1.SampleService",
  "latscope.v1.SessionService",
] as const;

/** What the services are made of. */
export interface ServiceParts extends ThisNode {
  collector: Collector;
  sessions: Sessions;
  streams: StreamCount;
  policies: Policies;
  quotas: Quotas;
  audit: Audit;
  guard: Guard;
  lasting: Lasting;
  /** Those at work; they start after the service. */
  exporters: readonly Exporter[];
  health: Health;
  draining: AbortSignal;
  log: Logger;
}

/** Puts every service on a server: the contract's, health and reflection. */
export async function addServices(server: Server, parts: ServiceParts): Promise<void> {
  const { health } = parts;
  server.addService(withMalformed(NodeServiceService), nodeService({ ...parts, startedAt: Date.now() }));
  server.addService(withMalformed(SessionServiceService), sessionService({ ...parts, replies: new Replies() }));
  server.addService(withMalformed(sampleDefinition), sampleService(parts));
  server.addService(healthDefinition, healthService(health));

  const descriptors = new Descriptors(await readDescriptorSet());
  const reflected = [...serviceNames, "grpc.health.v1.Health", ...reflectionNames].sort();
  const reflection = reflectionService(descriptors, reflected, parts.draining);
  for (const name of reflectionNames) server.addService(reflectionDefinition(name), reflection);
}
