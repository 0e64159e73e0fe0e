import type { KeyField, Probe } from "@latscope/proto";
import { Metric } from "@latscope/proto";
import { InvalidArgumentError, Option, type Command } from "commander";
import { flag } from "./flag.js";
import { each, name } from "./parse.js";

type Kind = NonNullable<Probe["kind"]>;

interface UserFunction {
  binary: string;
  symbol: string;
}
interface Usdt {
  binary: string;
  provider: string;
  start: string;
  end: string;
}
interface Pair {
  start: string;
  end: string;
  keyFields: KeyField[];
}

/** The flags that choose probes, as commander hands them over. */
export interface ProbeFlags {
  tcp?: boolean;
  udp?: boolean;
  dns?: boolean;
  icmp?: boolean;
  quic?: boolean;
  socket?: boolean;
  syscall?: string[];
  runQueue?: boolean;
  offCpu?: boolean;
  blockIo?: boolean;
  softirq?: boolean;
  netStack?: boolean;
  kernelFunction?: string[];
  userFunction?: UserFunction[];
  usdt?: Usdt[];
  tracepointPair?: Pair[];
  cpuStall?: boolean;
}

const switches: readonly [flag: string, help: string][] = [
  ["--tcp", "TCP handshakes, round trips, first bytes, failed connections"],
  ["--udp", "UDP: a packet to the first one back"],
  ["--dns", "DNS queries to their replies"],
  ["--icmp", "ICMP and ICMPv6 echo"],
  ["--quic", "QUIC handshakes; the spin bit with --metric quic-spin-rtt"],
  ["--socket", "the round trips that the kernel's own sockets see"],
  ["--run-queue", "runnable until running"],
  ["--off-cpu", "how long tasks are off the CPU"],
  ["--block-io", "block devices; the time in the queue with --metric block-io-queue"],
  ["--softirq", "soft interrupts; hard ones with --metric hardirq"],
  ["--net-stack", "a packet from its device to the reader of its socket"],
  ["--cpu-stall", "lateness of a timer on each CPU"],
];

/** Adds the flags of {@link ProbeFlags}. What cannot be measured on a host is that host's to say. */
export function addProbeFlags(command: Command): void {
  const flags = [
    ...switches.map(([flags, help]) => new Option(flags, help)),
    flag("--syscall <name>", "system calls of this name, or all; repeatable", each(name)),
    flag("--kernel-function <symbol>", "a kernel function; repeatable", each(name)),
    flag(
      "--user-function <binary:symbol>",
      "a function of a program or library, as the process of --pid sees it; repeatable",
      one(userFunction),
    ),
    flag("--usdt <binary:provider:start:end>", "two USDT probes of a program or library; repeatable", one(usdt)),
    flag(
      "--tracepoint-pair <start,end[,field...]>",
      "two tracepoints, each category:name, paired by the values of fields (FIELD, or FIELD=FIELD-OF-END), else by thread; repeatable",
      one(pair),
    ),
  ];
  for (const option of flags) command.addOption(option.helpGroup("What to measure:"));
}

/** The probes that flags ask for, in the contract's order; none if there is no such flag. */
export function probesFrom(flags: ProbeFlags, metrics: readonly Metric[], pids: readonly number[]): Probe[] {
  const asked = (metric: Metric) => metrics.includes(metric);
  // A path is seen from one process only where one is named.
  const [pid = 0, ...others] = pids;
  const seenFrom = others.length === 0 ? pid : 0;
  const kinds: Kind[] = [];
  if (flags.tcp === true) kinds.push({ $case: "tcp", value: { metrics: metrics.filter(isTcp) } });
  if (flags.udp === true) kinds.push({ $case: "udp", value: { idleReset: undefined } });
  if (flags.dns === true) kinds.push({ $case: "dns", value: { ports: [], udpOnly: false } });
  if (flags.icmp === true) kinds.push({ $case: "icmp", value: {} });
  if (flags.quic === true) kinds.push({ $case: "quic", value: { ports: [], spinBit: asked(Metric.QUIC_SPIN_RTT) } });
  if (flags.socket === true)
    kinds.push({ $case: "socket", value: { cgroupPath: "", metrics: metrics.filter(isSocket) } });
  if (flags.syscall !== undefined) {
    const names = flags.syscall.includes("all") ? [] : flags.syscall;
    kinds.push({ $case: "syscall", value: { names, failedOnly: false } });
  }
  if (flags.runQueue === true) kinds.push({ $case: "runQueue", value: {} });
  if (flags.offCpu === true) kinds.push({ $case: "offCpu", value: { includeIdle: false } });
  if (flags.blockIo === true) {
    kinds.push({ $case: "blockIo", value: { includeQueueTime: asked(Metric.BLOCK_IO_QUEUE), devices: [] } });
  }
  if (flags.softirq === true) kinds.push({ $case: "softirq", value: { hardIrqs: asked(Metric.HARDIRQ) } });
  if (flags.netStack === true) kinds.push({ $case: "netStack", value: {} });
  for (const symbol of flags.kernelFunction ?? []) kinds.push({ $case: "kernelFunction", value: { symbol } });
  for (const { binary, symbol } of flags.userFunction ?? []) {
    kinds.push({ $case: "userFunction", value: { binary, target: { $case: "symbol", value: symbol }, pid: seenFrom } });
  }
  for (const { binary, ...points } of flags.usdt ?? []) {
    kinds.push({ $case: "userFunction", value: { binary, target: { $case: "usdt", value: points }, pid: seenFrom } });
  }
  for (const value of flags.tracepointPair ?? []) kinds.push({ $case: "tracepointPair", value });
  if (flags.cpuStall === true) kinds.push({ $case: "cpuStall", value: { interval: undefined } });
  return kinds.map((kind) => ({ kind, timeout: undefined }));
}

const isTcp = (metric: Metric) => metric >= Metric.TCP_HANDSHAKE_REMOTE && metric <= Metric.TCP_CONNECT_FAILURE;
const isSocket = (metric: Metric) => metric >= Metric.SOCKET_RTT && metric <= Metric.SOCKET_RETRANSMIT;

function one<T>(parse: (text: string) => T): (text: string, earlier: T[] | undefined) => T[] {
  return (text, earlier = []) => [...earlier, parse(text)];
}

// Symbols may hold colons (Rust, C++), paths hardly ever do.
function userFunction(text: string): UserFunction {
  const [, binary, symbol] = /^([^:]+):(.+)$/.exec(text) ?? [];
  if (binary === undefined || symbol === undefined)
    throw new InvalidArgumentError("It must be BINARY:SYMBOL, such as libc:getaddrinfo.");
  return { binary, symbol };
}

function usdt(text: string): Usdt {
  const [binary = "", provider = "", start = "", end = "", ...more] = text.split(":");
  if ([binary, provider, start, end].includes("") || more.length > 0) {
    throw new InvalidArgumentError("It must be BINARY:PROVIDER:START:END.");
  }
  return { binary, provider, start, end };
}

function pair(text: string): Pair {
  const [start = "", end = "", ...keys] = text.split(",");
  const keyFields = keys.map((key) => {
    const [first = "", second = "", ...more] = key.split("=");
    if (first === "" || more.length > 0 || (key.includes("=") && second === ""))
      throw new InvalidArgumentError(`${JSON.stringify(key)} is no key: it must be FIELD, or FIELD=FIELD-OF-END.`);
    return { start: first, end: second };
  });
  if (![start, end].every((tracepoint) => /^[^:]+:[^:]+$/.test(tracepoint))) {
    throw new InvalidArgumentError(
      "It must be two tracepoints, such as sched:sched_waking,sched:sched_switch,pid=next_pid.",
    );
  }
  return { start, end, keyFields };
}
