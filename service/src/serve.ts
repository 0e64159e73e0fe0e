import { NodeCapabilities } from "@latscope/proto";
import { AddonError, loadAddon } from "./addon/open.js";
import type { Collector } from "./addon/types.js";
import type { Audit } from "./audit/audit.js";
import { openPolicies, type OpenPolicies } from "./auth/policy/open.js";
import { openAudit } from "./audit/open.js";
import { boundsOf } from "./config/bounds.js";
import type { Config } from "./config/schema.js";
import { toFailure } from "./failure/answer.js";
import { announce, announceCommand } from "./log/announce.js";
import { createLogger, type Logger } from "./log/logger.js";
import { GrpcServer, type Ready } from "./server/grpc-server.js";
import { nextSignal, onHangUp } from "./server/signals.js";
import { ListenError } from "./server/listen-error.js";
import { dropPrivileges } from "./server/privileges.js";
import { Supervisor, takeSupervisorVariables } from "./supervisor/supervisor.js";

/** No metric can be had on this host; the message says why, for a person. */
class NothingToMeasureError extends Error {
  override readonly name = "NothingToMeasureError";
}

/** Runs the service until SIGTERM or SIGINT. @returns the exit code: 0 after a signal, 1 when it could not start @throws ConfigError for a policy that cannot be used */
export async function serve(config: Config): Promise<number> {
  let collector: Collector | undefined;
  let audit: Audit | undefined;
  let open: OpenPolicies | undefined;
  let supervised: Supervisor | undefined;
  try {
    const addon = await loadAddon();
    await dropPrivileges(addon, config);
    const log = await createLogger(config.logLevel);
    const supervisor = new Supervisor(takeSupervisorVariables(process.env, process.pid), addon.notifySupervisor, log);
    supervised = supervisor;
    const opened = addon.Collector.open({ node: `nodes/${config.node}`, ...boundsOf(config) });
    collector = opened;
    const host = usable(NodeCapabilities.decode(await opened.capabilities()));
    audit = await openAudit(config, log, addon.sendToJournal);
    open = await openPolicies(config.policy, log);
    const { policies, reload } = open;
    const server = new GrpcServer(config, opened, log, addon.peerOf, { audit, policies });
    announceHost(host);
    announceReady(await server.start(), log);
    onHangUp(() =>
      supervisor.reloading(async () => {
        await Promise.all([server.reload(), reload()]);
      }),
    );
    // Loading and probing take more for a moment than serving does.
    addon.giveMemoryBack();
    supervisor.ready(() => opened.status());
    const signal = await nextSignal();
    supervisor.stopping();
    log.info({ signal }, `${signal}: draining`);
    await server.stop();
    log.info("stopped");
    return 0;
  } catch (error) {
    const foreseen = [ListenError, AddonError, NothingToMeasureError].some((type) => error instanceof type);
    const expected = foreseen ? (error as Error) : toFailure(error);
    if (expected === undefined) throw error;
    process.stderr.write(`latscope: ${expected.message}\n`);
    return 1;
  } finally {
    open?.close();
    collector?.close();
    await audit?.close();
    supervised?.close();
  }
}

/** @throws NothingToMeasureError for a host on which a service would have nothing to do */
function usable(host: NodeCapabilities): NodeCapabilities {
  if (host.capabilities.some(({ supported }) => supported)) return host;
  throw new NothingToMeasureError(host.capabilities.find(({ reason }) => reason !== "")?.reason);
}

function announceHost({ kernelRelease, btf, jit, capabilities }: NodeCapabilities): void {
  const supported = capabilities.filter((capability) => capability.supported);
  const hooks = new Set(supported.map(({ hook }) => hook));
  const parts = [`kernel ${kernelRelease}`, ...(btf ? ["BTF"] : []), ...(jit ? ["JIT"] : []), ...hooks];
  announce(
    `${parts.join(", ")}; ${supported.length} of ${capabilities.length} metrics available (latscope capabilities)`,
  );
}

function announceReady({ socket, group, tcp, health, exporters }: Ready, log: Logger): void {
  const owner = process.getuid?.() ?? 0;
  const by = `0660 ${owner === 0 ? "root" : owner}:${group?.name ?? ""}`;
  announce(`listening on unix:${socket} (${group === undefined ? "passed by systemd" : by})`);
  const plaintext: string[] = [];
  for (const { address, by } of tcp) {
    announce(
      `listening on ${address} (${by.length === 0 ? "plaintext, --insecure" : `TLS; lets in by ${by.join(", ")}`})`,
    );
    if (by.length > 0) continue;
    plaintext.push(address);
    log.warn({ address }, `${address} is plaintext: every local user is operator`);
  }
  if (health !== undefined) announce(`listening on ${health} (plaintext, grpc.health.v1 alone)`);
  for (const what of exporters) announce(what);
  const spec = `-d '{"spec":{"probes":[{"tcp":{}}]}}'`;
  announce("try");
  announceCommand(`grpcurl -plaintext -unix ${spec} ${socket} latscope.v1.SampleService/StreamSamples`);
  for (const address of plaintext)
    announceCommand(`grpcurl -plaintext ${spec} ${address} latscope.v1.SampleService/StreamSamples`);
  announceCommand("npx latscope stream --tcp");
}
