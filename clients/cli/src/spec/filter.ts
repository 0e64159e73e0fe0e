import type { Direction, Filter, Metric, PortRange } from "@latscope/proto";
import type { Command } from "commander";
import { flag } from "./flag.js";
import { cidr, direction, duration, type Duration, each, metric, name, portRange, small } from "./parse.js";

/** The flags that narrow, as commander hands them over. */
export interface FilterFlags {
  client?: string[];
  server?: string[];
  cidr?: string[];
  clientPort?: PortRange[];
  serverPort?: PortRange[];
  port?: PortRange[];
  vlan?: number[];
  direction?: Direction[];
  pid?: number[];
  comm?: string[];
  cgroup?: string[];
  metric?: Metric[];
}

/** The flag that withholds single samples; histograms count every latency. */
export interface LatencyFlag {
  minLatency?: Duration;
}

const heading = "Only (values with commas, or given again, are alternatives):";

/** Adds the flags of {@link FilterFlags}. Values of one flag are alternatives; different flags must all hold. */
export function addFilterFlags(command: Command): void {
  const flags = [
    flag("--port <port>", "either side's port, or FIRST-LAST", each(portRange)),
    flag("--client-port <port>", "the port of the side that opened the flow", each(portRange)),
    flag("--server-port <port>", "the port of the side that was opened to", each(portRange)),
    flag("--cidr <cidr>", "either side's address", each(cidr)),
    flag("--client <cidr>", "the address of the side that opened the flow", each(cidr)),
    flag("--server <cidr>", "the address of the side that was opened to", each(cidr)),
    flag("--vlan <id>", "VLAN id, 0 for untagged", each(small(0, 4095))),
    flag("--direction <direction>", "outbound, inbound or forwarded", each(direction)),
    flag("--pid <pid>", "process", each(small(1, 4_194_304))),
    flag("--comm <name>", "command name of the task", each(name)),
    flag("--cgroup <path>", "cgroup, with everything below it", each(name)),
    flag("--metric <metric>", "only this metric, such as rtt or tcp-handshake-local", each(metric)),
  ];
  for (const option of flags) command.addOption(option.helpGroup(heading));
}

/** Adds the flag of {@link LatencyFlag}. */
export function addLatencyFlag(command: Command): void {
  const option = flag("--min-latency <time>", "only latencies from this on, such as 50ms", duration);
  command.addOption(option.helpGroup(heading));
}

/** The clause that flags ask for, or none if they do not narrow. The least latency is not part of it: who withholds is the caller's choice. */
export function clauseFrom(given: FilterFlags): Filter[] {
  const filter: Filter = {
    clientCidrs: given.client ?? [],
    serverCidrs: given.server ?? [],
    cidrs: given.cidr ?? [],
    clientPorts: given.clientPort ?? [],
    serverPorts: given.serverPort ?? [],
    ports: given.port ?? [],
    vlanIds: given.vlan ?? [],
    directions: given.direction ?? [],
    pids: given.pid ?? [],
    comms: given.comm ?? [],
    cgroupPaths: given.cgroup ?? [],
    minLatency: undefined,
    metrics: given.metric ?? [],
    protocols: [],
    subjects: [],
    interfaces: [],
    networkNamespaces: [],
  };
  return Object.values(filter).some((field) => Array.isArray(field) && field.length > 0) ? [filter] : [];
}
