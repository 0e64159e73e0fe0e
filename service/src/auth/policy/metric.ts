import { Metric, type Probe } from "@latscope/proto";

/**
 * What kinds of target a metric has: packets have addresses, an interface and a network namespace, sockets addresses and a cgroup,
 * tasks a cgroup; the rest is the host's as a whole.
 */
export type MetricClass = "packet" | "socket" | "task" | "host";

type Known = Exclude<Metric, Metric.UNSPECIFIED | Metric.UNRECOGNIZED>;

const classes: Readonly<Record<Known, MetricClass>> = {
  [Metric.TCP_HANDSHAKE_REMOTE]: "packet",
  [Metric.TCP_HANDSHAKE_LOCAL]: "packet",
  [Metric.TCP_RTT]: "packet",
  [Metric.TCP_FIRST_BYTE]: "packet",
  [Metric.TCP_CONNECT_FAILURE]: "packet",
  [Metric.UDP_REPLY]: "packet",
  [Metric.DNS_REPLY]: "packet",
  [Metric.ICMP_ECHO]: "packet",
  [Metric.QUIC_HANDSHAKE]: "packet",
  [Metric.QUIC_SPIN_RTT]: "packet",
  [Metric.SOCKET_RTT]: "socket",
  [Metric.SOCKET_CONNECT]: "socket",
  [Metric.SOCKET_RETRANSMIT]: "socket",
  [Metric.SYSCALL]: "task",
  [Metric.RUN_QUEUE]: "task",
  [Metric.OFF_CPU]: "task",
  [Metric.BLOCK_IO_DEVICE]: "task",
  [Metric.BLOCK_IO_QUEUE]: "task",
  [Metric.SOFTIRQ]: "host",
  [Metric.HARDIRQ]: "host",
  [Metric.NET_STACK_RECEIVE]: "task",
  [Metric.KERNEL_FUNCTION]: "task",
  [Metric.USER_FUNCTION]: "task",
  [Metric.TRACEPOINT_PAIR]: "task",
  [Metric.CPU_STALL]: "host",
};

/** Every metric of the contract. */
export const metrics: readonly Metric[] = Object.values(Metric).filter(
  (value): value is Metric => typeof value === "number" && value in classes,
);

export function classOf(metric: Metric): MetricClass {
  return classes[metric as Known];
}

/** `tcp_rtt` */
export function metricName(metric: Metric): string {
  return Metric[metric].toLowerCase();
}

/** A metric that a probe yields, and the field of the probe that asks for it (empty = the probe itself). */
export interface Yield {
  metric: Metric;
  field: string;
}

const ofTcp = [
  Metric.TCP_HANDSHAKE_REMOTE,
  Metric.TCP_HANDSHAKE_LOCAL,
  Metric.TCP_RTT,
  Metric.TCP_FIRST_BYTE,
  Metric.TCP_CONNECT_FAILURE,
];
const ofSockets = [Metric.SOCKET_RTT, Metric.SOCKET_CONNECT, Metric.SOCKET_RETRANSMIT];

/** What a probe yields; nothing, when it sets no kind, which the collector refuses. */
export function yieldsOf({ kind }: Probe): Yield[] {
  switch (kind?.$case) {
    case "tcp":
      return chosen(kind.value.metrics, ofTcp, "tcp.metrics");
    case "udp":
      return always(Metric.UDP_REPLY);
    case "dns":
      return always(Metric.DNS_REPLY);
    case "icmp":
      return always(Metric.ICMP_ECHO);
    case "quic":
      return withOption(Metric.QUIC_HANDSHAKE, kind.value.spinBit, Metric.QUIC_SPIN_RTT, "quic.spin_bit");
    case "socket":
      return chosen(kind.value.metrics, ofSockets, "socket.metrics");
    case "syscall":
      return always(Metric.SYSCALL);
    case "runQueue":
      return always(Metric.RUN_QUEUE);
    case "offCpu":
      return always(Metric.OFF_CPU);
    case "blockIo": {
      const { includeQueueTime } = kind.value;
      const field = "block_io.include_queue_time";
      return withOption(Metric.BLOCK_IO_DEVICE, includeQueueTime, Metric.BLOCK_IO_QUEUE, field);
    }
    case "softirq":
      return withOption(Metric.SOFTIRQ, kind.value.hardIrqs, Metric.HARDIRQ, "softirq.hard_irqs");
    case "netStack":
      return always(Metric.NET_STACK_RECEIVE);
    case "kernelFunction":
      return always(Metric.KERNEL_FUNCTION);
    case "userFunction":
      return always(Metric.USER_FUNCTION);
    case "tracepointPair":
      return always(Metric.TRACEPOINT_PAIR);
    case "cpuStall":
      return always(Metric.CPU_STALL);
    case undefined:
      return [];
  }
}

/** Whether the probe names none of its metrics, which stands for all of its kind. */
export function asksForAll({ kind }: Probe): boolean {
  return (kind?.$case === "tcp" || kind?.$case === "socket") && kind.value.metrics.length === 0;
}

function always(metric: Metric): Yield[] {
  return [{ metric, field: "" }];
}

function withOption(first: Metric, both: boolean, second: Metric, field: string): Yield[] {
  return both ? [...always(first), { metric: second, field }] : always(first);
}

function chosen(asked: readonly Metric[], all: readonly Metric[], field: string): Yield[] {
  if (asked.length === 0) return all.map((metric) => ({ metric, field }));
  // What is no metric is for the collector to refuse, with its path.
  return asked.flatMap((metric, index) => (metric in classes ? [{ metric, field: `${field}[${index}]` }] : []));
}
