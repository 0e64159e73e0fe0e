//! One latency on its way from an engine to the session log.

use crate::proto::{Direction, IpProtocol, Metric, Quality};

/// A latency as an engine hands it over; the user-side form of `latscope.v1.Sample`.
///
/// Strings are the kernel's or the wire's own bytes: the log makes them valid UTF-8 (see [`crate::text`]). DNS names come
/// in presentation format already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// When the end event happened, wall clock, nanoseconds since 1970.
    pub time_unix_ns: u64,
    /// How long it took, nanoseconds.
    pub latency_ns: u64,
    /// What it is the latency of.
    pub metric: Metric,
    /// Bit n is [`Quality`] n; see [`quality_bit`].
    pub quality: u32,
    /// Index in `spec.probes`.
    pub probe: u32,
    /// SYNs or queries sent before the one that counts.
    pub retries: u32,
    /// errno, DNS rcode or ICMP code; 0 where it has none.
    pub result: i64,
    /// Syscall, device, function, vector, DNS name; empty where it has none.
    pub subject: &'a [u8],
    /// The flow, of metrics that have one.
    pub flow: Option<FlowView<'a>>,
    /// The process, where the hook knows it.
    pub process: Option<ProcessView<'a>>,
}

/// The two sides of a flow; the user-side form of `latscope.v1.Flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowView<'a> {
    /// IPv4: each address is in the first four bytes and the others are zero.
    pub ipv4: bool,
    /// Address of the side that opened the flow, in network order.
    pub client_address: [u8; 16],
    /// Address of the other side, in network order.
    pub server_address: [u8; 16],
    /// 0 where the protocol has none.
    pub client_port: u16,
    /// 0 where the protocol has none.
    pub server_port: u16,
    /// Seen from this host.
    pub direction: Direction,
    /// TCP, UDP, ...
    pub protocol: IpProtocol,
    /// Name of the interface it was seen at.
    pub interface: &'a [u8],
    /// 0 = untagged.
    pub vlan_id: u16,
    /// The measured packet left the server side.
    pub measured_from_server: bool,
    /// Inode; 0 = the service's own.
    pub network_namespace: u64,
    /// Joined midway: client is the side with the higher port.
    pub opener_unknown: bool,
    /// TTL or hop limit of the answering packet.
    pub ttl: u8,
}

/// A process; the user-side form of `latscope.v1.Process`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessView<'a> {
    /// Thread group, in the service's pid namespace.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// Name of the task.
    pub comm: &'a [u8],
    /// Inode of the cgroup; 0 = not known.
    pub cgroup_id: u64,
    /// Path below the root of cgroup v2; empty = not known.
    pub cgroup_path: &'a [u8],
    /// Empty = in no container.
    pub container_id: &'a [u8],
}

/// The bit of `quality` in [`Sample::quality`].
#[must_use]
pub const fn quality_bit(quality: Quality) -> u32 {
    1 << quality as u32
}
