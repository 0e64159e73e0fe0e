//! The table of metrics: which engine measures each, by which hooks, and what can be asked of it. docs/metrics.md is its prose.

use crate::proto::{GroupBy, IpProtocol, Metric};

/// The part of the kernel side that measures a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EngineKind {
    /// tc programs on interfaces.
    Packet,
    /// `sock_ops` on a cgroup.
    Socket,
    /// Tracepoints, kprobes, uprobes, `perf_event`.
    Span,
}

/// A field of `latscope.v1.Filter` that speaks of the measured thing (all but `metrics` and `min_latency`, which every metric has).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterField {
    /// `client_cidrs`
    ClientCidrs,
    /// `server_cidrs`
    ServerCidrs,
    /// `cidrs`
    Cidrs,
    /// `client_ports`
    ClientPorts,
    /// `server_ports`
    ServerPorts,
    /// `ports`
    Ports,
    /// `vlan_ids`
    VlanIds,
    /// `directions`
    Directions,
    /// `protocols`
    Protocols,
    /// `pids`
    Pids,
    /// `comms`
    Comms,
    /// `cgroup_paths`
    CgroupPaths,
    /// `subjects`
    Subjects,
}

impl FilterField {
    /// Its name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientCidrs => "client_cidrs",
            Self::ServerCidrs => "server_cidrs",
            Self::Cidrs => "cidrs",
            Self::ClientPorts => "client_ports",
            Self::ServerPorts => "server_ports",
            Self::Ports => "ports",
            Self::VlanIds => "vlan_ids",
            Self::Directions => "directions",
            Self::Protocols => "protocols",
            Self::Pids => "pids",
            Self::Comms => "comms",
            Self::CgroupPaths => "cgroup_paths",
            Self::Subjects => "subjects",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its number in the contract.
    pub metric: Metric,
    /// Name for a person: `tcp rtt`.
    pub name: &'static str,
    /// Who measures it.
    pub engine: EngineKind,
    /// Hooks that can serve, best first, each with the lowest kernel that has it.
    pub hooks: &'static [(&'static str, &'static str)],
    /// Fields of `Filter` that apply, besides `metrics` (and `min_latency` for readers).
    pub filter_fields: &'static [FilterField],
    /// Protocols of its flows; empty where it has no flow.
    pub protocols: &'static [IpProtocol],
    /// Histogram keys that apply.
    pub group_by: &'static [GroupBy],
}

// BPF ring buffers, which every engine needs, came with 5.8.
const TC: &[(&str, &str)] = &[("tcx", "6.6"), ("clsact", "5.8")];
const SOCK_OPS: &[(&str, &str)] = &[("sock_ops", "5.8")];
// The span engine reads `cgroup.ancestors`, which came with 6.1.
const TRACEPOINT: &[(&str, &str)] = &[("tp_btf", "6.1")];
const FUNCTION: &[(&str, &str)] = &[("fentry", "6.1"), ("kprobe", "6.1")];

const TCP: &[IpProtocol] = &[IpProtocol::Tcp];
const UDP: &[IpProtocol] = &[IpProtocol::Udp];
const UDP_TCP: &[IpProtocol] = &[IpProtocol::Udp, IpProtocol::Tcp];
const ICMP: &[IpProtocol] = &[IpProtocol::Icmp, IpProtocol::Icmpv6];

const FLOW: &[FilterField] = &[
    FilterField::ClientCidrs,
    FilterField::ServerCidrs,
    FilterField::Cidrs,
    FilterField::ClientPorts,
    FilterField::ServerPorts,
    FilterField::Ports,
    FilterField::VlanIds,
    FilterField::Directions,
    FilterField::Protocols,
];
const FLOW_SUBJECT: &[FilterField] = &[
    FilterField::ClientCidrs,
    FilterField::ServerCidrs,
    FilterField::Cidrs,
    FilterField::ClientPorts,
    FilterField::ServerPorts,
    FilterField::Ports,
    FilterField::VlanIds,
    FilterField::Directions,
    FilterField::Protocols,
    FilterField::Subjects,
];
const PORTLESS: &[FilterField] = &[
    FilterField::ClientCidrs,
    FilterField::ServerCidrs,
    FilterField::Cidrs,
    FilterField::VlanIds,
    FilterField::Directions,
    FilterField::Protocols,
];
const SOCKET: &[FilterField] = &[
    FilterField::ClientCidrs,
    FilterField::ServerCidrs,
    FilterField::Cidrs,
    FilterField::ClientPorts,
    FilterField::ServerPorts,
    FilterField::Ports,
    FilterField::Directions,
    FilterField::Protocols,
    FilterField::Pids,
    FilterField::Comms,
    FilterField::CgroupPaths,
];
const TASK: &[FilterField] = &[
    FilterField::Pids,
    FilterField::Comms,
    FilterField::CgroupPaths,
];
const TASK_SUBJECT: &[FilterField] = &[
    FilterField::Pids,
    FilterField::Comms,
    FilterField::CgroupPaths,
    FilterField::Subjects,
];
const SUBJECT: &[FilterField] = &[FilterField::Subjects];

const BY_FLOW: &[GroupBy] = &[
    GroupBy::ClientPrefix,
    GroupBy::ServerPrefix,
    GroupBy::ServerPort,
    GroupBy::Interface,
    GroupBy::Protocol,
    GroupBy::Result,
    GroupBy::Node,
];
const BY_SOCKET: &[GroupBy] = &[
    GroupBy::ClientPrefix,
    GroupBy::ServerPrefix,
    GroupBy::ServerPort,
    GroupBy::Comm,
    GroupBy::Cgroup,
    GroupBy::Protocol,
    GroupBy::Result,
    GroupBy::Node,
];
const BY_TASK: &[GroupBy] = &[
    GroupBy::Comm,
    GroupBy::Cgroup,
    GroupBy::Result,
    GroupBy::Node,
];
const BY_TASK_SUBJECT: &[GroupBy] = &[
    GroupBy::Comm,
    GroupBy::Cgroup,
    GroupBy::Subject,
    GroupBy::Result,
    GroupBy::Node,
];
const BY_SUBJECT: &[GroupBy] = &[GroupBy::Subject, GroupBy::Result, GroupBy::Node];

const fn packet(
    metric: Metric,
    name: &'static str,
    protocols: &'static [IpProtocol],
    filter_fields: &'static [FilterField],
    group_by: &'static [GroupBy],
) -> Row {
    Row {
        metric,
        name,
        engine: EngineKind::Packet,
        hooks: TC,
        filter_fields,
        protocols,
        group_by,
    }
}

const fn socket(metric: Metric, name: &'static str) -> Row {
    Row {
        metric,
        name,
        engine: EngineKind::Socket,
        hooks: SOCK_OPS,
        filter_fields: SOCKET,
        protocols: TCP,
        group_by: BY_SOCKET,
    }
}

const fn span(
    metric: Metric,
    name: &'static str,
    hooks: &'static [(&'static str, &'static str)],
    filter_fields: &'static [FilterField],
    group_by: &'static [GroupBy],
) -> Row {
    Row {
        metric,
        name,
        engine: EngineKind::Span,
        hooks,
        filter_fields,
        protocols: &[],
        group_by,
    }
}

/// Every metric of the contract, in the order of its numbers.
pub const TABLE: [Row; 25] = [
    packet(
        Metric::TcpHandshakeRemote,
        "tcp handshake remote",
        TCP,
        FLOW,
        BY_FLOW,
    ),
    packet(
        Metric::TcpHandshakeLocal,
        "tcp handshake local",
        TCP,
        FLOW,
        BY_FLOW,
    ),
    packet(Metric::TcpRtt, "tcp rtt", TCP, FLOW, BY_FLOW),
    packet(Metric::TcpFirstByte, "tcp first byte", TCP, FLOW, BY_FLOW),
    packet(
        Metric::TcpConnectFailure,
        "tcp connect failure",
        TCP,
        FLOW,
        BY_FLOW,
    ),
    packet(Metric::UdpReply, "udp reply", UDP, FLOW, BY_FLOW),
    packet(
        Metric::DnsReply,
        "dns reply",
        UDP_TCP,
        FLOW_SUBJECT,
        BY_FLOW,
    ),
    packet(Metric::IcmpEcho, "icmp echo", ICMP, PORTLESS, BY_FLOW),
    packet(Metric::QuicHandshake, "quic handshake", UDP, FLOW, BY_FLOW),
    packet(Metric::QuicSpinRtt, "quic spin rtt", UDP, FLOW, BY_FLOW),
    socket(Metric::SocketRtt, "socket rtt"),
    socket(Metric::SocketConnect, "socket connect"),
    socket(Metric::SocketRetransmit, "socket retransmit"),
    span(
        Metric::Syscall,
        "syscall",
        TRACEPOINT,
        TASK_SUBJECT,
        BY_TASK_SUBJECT,
    ),
    span(Metric::RunQueue, "run queue", TRACEPOINT, TASK, BY_TASK),
    span(Metric::OffCpu, "off cpu", TRACEPOINT, TASK, BY_TASK),
    span(
        Metric::BlockIoDevice,
        "block io device",
        TRACEPOINT,
        TASK_SUBJECT,
        BY_TASK_SUBJECT,
    ),
    span(
        Metric::BlockIoQueue,
        "block io queue",
        TRACEPOINT,
        TASK_SUBJECT,
        BY_TASK_SUBJECT,
    ),
    span(Metric::Softirq, "softirq", TRACEPOINT, SUBJECT, BY_SUBJECT),
    span(Metric::Hardirq, "hardirq", TRACEPOINT, SUBJECT, BY_SUBJECT),
    span(
        Metric::NetStackReceive,
        "net stack receive",
        TRACEPOINT,
        TASK_SUBJECT,
        BY_TASK_SUBJECT,
    ),
    span(
        Metric::KernelFunction,
        "kernel function",
        FUNCTION,
        TASK_SUBJECT,
        BY_TASK_SUBJECT,
    ),
    span(
        Metric::UserFunction,
        "user function",
        &[("uprobe", "6.1")],
        TASK_SUBJECT,
        BY_TASK_SUBJECT,
    ),
    span(
        Metric::TracepointPair,
        "tracepoint pair",
        &[("tracepoint", "6.1")],
        TASK_SUBJECT,
        BY_TASK_SUBJECT,
    ),
    Row {
        metric: Metric::CpuStall,
        name: "cpu stall",
        engine: EngineKind::Span,
        hooks: &[("perf_event", "6.1")],
        filter_fields: &[],
        protocols: &[],
        group_by: &[GroupBy::Node],
    },
];

/// The row of a metric; `None` for `METRIC_UNSPECIFIED`.
#[must_use]
pub fn row(metric: Metric) -> Option<&'static Row> {
    TABLE.get((metric as usize).checked_sub(1)?)
}

/// The bit of a metric in a mask of metrics: bit n is `Metric` n.
#[must_use]
pub const fn bit(metric: Metric) -> u32 {
    1 << metric as u32
}

/// Every metric of the contract.
#[must_use]
pub fn all() -> u32 {
    TABLE.iter().fold(0, |mask, row| mask | bit(row.metric))
}

/// The rows of a mask of metrics, in the order of their numbers.
pub fn rows(mask: u32) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| mask & bit(row.metric) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_metric_at_its_number() {
        for number in 1..=TABLE.len() {
            let metric = Metric::try_from(i32::try_from(number).unwrap()).unwrap();
            assert_eq!(row(metric).unwrap().metric, metric);
        }
        assert!(Metric::try_from(i32::try_from(TABLE.len() + 1).unwrap()).is_err());
        assert!(row(Metric::Unspecified).is_none());
    }

    #[test]
    fn a_mask_names_its_rows() {
        let mask = bit(Metric::TcpRtt) | bit(Metric::CpuStall);
        assert_eq!(
            rows(mask).map(|it| it.name).collect::<Vec<_>>(),
            ["tcp rtt", "cpu stall"]
        );
    }

    #[test]
    fn docs_have_a_row_for_every_metric() {
        let docs = include_str!("../../../docs/metrics.md");
        let rows: Vec<&str> = docs
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
            .filter(|name| TABLE.iter().any(|row| row.name == *name))
            .collect();
        let measured: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(rows, measured);
    }
}
