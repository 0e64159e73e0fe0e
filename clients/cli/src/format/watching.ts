import {
  directionToJSON,
  ipProtocolToJSON,
  type Filter,
  type PortRange,
  type Probe,
  type SessionSpec,
  type Start,
} from "@latscope/proto";
import { span } from "./duration.js";
import { shortName } from "./metric.js";
import { printable } from "./text.js";
import { nanoseconds } from "./time.js";

const packetKinds: ReadonlySet<string> = new Set(["tcp", "udp", "dns", "icmp", "quic"]);

/**
 * The first line of a stream: `watching tcp on 3 interfaces, filter port 443 (session s-7f3a, ends with this command)`.
 * @param session "sessions/{id}", @param inline whether the session is this command's own
 */
export function watchingLine({ effectiveSpec, readerFilters }: Start, session: string, inline: boolean): string {
  const id = printable(session.replace(/^sessions\//, ""));
  const parts = effectiveSpec === undefined ? [] : specParts(effectiveSpec);
  if (readerFilters.length > 0) parts.push(`here only ${clauses(readerFilters)}`);
  const what = parts.length === 0 ? "watching" : `watching ${parts.join(", ")}`;
  return `${what} (session ${id}${inline ? ", ends with this command" : ""})`;
}

/** What a spec asks for, in words. */
export function specParts(spec: SessionSpec): string[] {
  const probes = spec.probes.map(probeName).join(", ");
  const onInterfaces = spec.probes.some(({ kind }) => packetKinds.has(kind?.$case ?? ""));
  const parts = [onInterfaces ? `${probes} on ${interfaces(spec.interfaces)}` : probes];
  if (spec.filters.length > 0) parts.push(`filter ${clauses(spec.filters)}`);
  if (spec.exclude.length > 0) parts.push(`without ${clauses(spec.exclude)}`);
  const least = nanoseconds(spec.collection?.sampleMinLatency);
  if (least > 0n) parts.push(`at least ${span(least)}`);
  return parts;
}

function interfaces(names: readonly string[]): string {
  const [first, ...more] = names;
  if (first === undefined) return "every interface";
  return more.length === 0 ? printable(first) : `${names.length} interfaces`;
}

/** `tcp`, `syscall openat`, `kernel function vfs_read` */
export function probeName({ kind }: Probe): string {
  if (kind === undefined) return "nothing";
  const name = kind.$case.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  const object = printable(objectOf(kind));
  return object === "" ? name : `${name} ${object}`;
}

function objectOf(kind: NonNullable<Probe["kind"]>): string {
  switch (kind.$case) {
    case "syscall":
      return kind.value.names.join(",");
    case "blockIo":
      return kind.value.devices.join(",");
    case "kernelFunction":
      return kind.value.symbol;
    case "userFunction": {
      const { binary, target } = kind.value;
      if (target?.$case === "usdt")
        return `${binary}:${target.value.provider}:${target.value.start}..${target.value.end}`;
      return `${binary}:${target?.value ?? ""}`;
    }
    case "tracepointPair":
      return `${kind.value.start}..${kind.value.end}`;
    default:
      return "";
  }
}

function clauses(filters: readonly Filter[]): string {
  return filters.map(clause).join(" or ");
}

function clause(filter: Filter): string {
  const least = nanoseconds(filter.minLatency);
  const fields: readonly [name: string, values: readonly (string | number)[]][] = [
    ["client", filter.clientCidrs],
    ["server", filter.serverCidrs],
    ["address", filter.cidrs],
    ["client port", filter.clientPorts.map(ports)],
    ["server port", filter.serverPorts.map(ports)],
    ["port", filter.ports.map(ports)],
    ["vlan", filter.vlanIds],
    ["direction", filter.directions.map((value) => word(directionToJSON(value), "DIRECTION_"))],
    ["pid", filter.pids],
    ["comm", filter.comms],
    ["cgroup", filter.cgroupPaths],
    ["metric", filter.metrics.map(shortName)],
    ["protocol", filter.protocols.map((value) => word(ipProtocolToJSON(value), "IP_PROTOCOL_"))],
    ["subject", filter.subjects],
    ["interface", filter.interfaces],
    ["network namespace", filter.networkNamespaces.map(String)],
    ["latency at least", least > 0n ? [span(least)] : []],
  ];
  const said = fields.filter(([, values]) => values.length > 0);
  return said.length === 0
    ? "everything"
    : said.map(([name, values]) => printable(`${name} ${values.join(",")}`)).join(" ");
}

function ports({ first, last }: PortRange): string {
  return last === 0 || last === first ? first.toString() : `${first}-${last}`;
}

function word(name: string, prefix: string): string {
  return name.replace(prefix, "").toLowerCase();
}
