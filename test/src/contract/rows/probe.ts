import { badOrNoDurations, element, NO_ENUM, wrong, type Rows, type Wrong } from "./row.js";

const BOTH = "both values mean something";

/** A name that must be there, and that the kernel could hold. */
const name: readonly Wrong[] = [
  wrong("", "FIELD_REQUIRED"),
  wrong("a\0b", "FIELD_INVALID"),
  wrong("n".repeat(4_097), "FIELD_INVALID"),
];

const names: readonly Wrong[] = name.map(({ value, reason }) => element("read", value, reason));
const tracepoint = ["", "sched", ":a", "sched:", "../a:b"].map((value) => wrong(value, "FIELD_INVALID"));

/** Probes. */
export const probeRows: Rows = {
  "Probe.timeout": badOrNoDurations,
  "TcpProbe.metrics": [
    element("METRIC_TCP_RTT", "METRIC_SYSCALL", "METRIC_INVALID"),
    element("METRIC_TCP_RTT", NO_ENUM, "METRIC_INVALID"),
    element("METRIC_TCP_RTT", 0, "METRIC_INVALID"),
  ],
  "UdpProbe.idle_reset": badOrNoDurations,
  "DnsProbe.ports": [element(53, 0, "PORT_INVALID"), element(53, 65_536, "PORT_INVALID")],
  "DnsProbe.udp_only": BOTH,
  "QuicProbe.ports": [element(443, 0, "PORT_INVALID"), element(443, 65_536, "PORT_INVALID")],
  "QuicProbe.spin_bit": BOTH,
  "SocketProbe.cgroup_path": [wrong("relative", "FIELD_INVALID"), wrong("/a/../b", "FIELD_INVALID")],
  "SocketProbe.metrics": [
    element("METRIC_SOCKET_RTT", "METRIC_TCP_RTT", "METRIC_INVALID"),
    element("METRIC_SOCKET_RTT", NO_ENUM, "METRIC_INVALID"),
  ],
  "SyscallProbe.names": names,
  "SyscallProbe.failed_only": BOTH,
  "OffCpuProbe.include_idle": BOTH,
  "BlockIoProbe.include_queue_time": BOTH,
  "BlockIoProbe.devices": names,
  "SoftirqProbe.hard_irqs": BOTH,
  "KernelFunctionProbe.symbol": name,
  "UserFunctionProbe.binary": name,
  "UserFunctionProbe.symbol": name,
  "UserFunctionProbe.pid": "one of which there is no process waits for it",
  "UsdtPair.provider": name,
  "UsdtPair.start": name,
  "UsdtPair.end": name,
  "TracepointPairProbe.start": tracepoint,
  "TracepointPairProbe.end": tracepoint,
  "KeyField.start": name,
  "KeyField.end": "empty = the same name; one that the tracepoint does not have is refused by the host",
  "CpuStallProbe.interval": badOrNoDurations,
};
