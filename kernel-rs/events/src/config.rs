//! What the user side tells the programs: which sessions there are, and how a flow is classified.
//!
//! Everything here exists twice, selected by the low bit of [`Control::generation`]: the user side writes the bank that
//! is not in use and then flips with one store, so a change of one session never tears another's filter.

use crate::{
    flow::GROUPS,
    layout,
    metric::PACKET_METRICS,
    series::{GROUPINGS, Grouping},
};

/// The one word that flips banks; the only entry of its map.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// Current generation of the session set; its low bit selects the bank. Never 0 once there are sessions: a flow of
    /// generation 0 has not been classified.
    pub generation: u32,
}
layout!(Control, 4);

/// The session set of one generation.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Sessions that want each metric.
    pub wants: [u64; PACKET_METRICS],
    /// Sessions of each flow group.
    pub group: [u64; GROUPS],
    /// [`CAP_PLANES`]-bit start values of the rate caps, bit-sliced: a counter overflows when its session's cap is reached.
    pub cap: [u64; CAP_PLANES],
    /// Filter clauses that do not ask for a direction, and those that ask for outbound, inbound, forwarded.
    pub direction: [[u64; CLAUSES]; 4],
    /// Exclude clauses, likewise.
    pub exclude_direction: [[u64; CLAUSES]; 4],
    /// Ways in which sessions group; the first `groupings` of them are in use.
    pub grouping: [Grouping; GROUPINGS],
    /// By the exponent of a latency: sessions for which every such latency is too fast to be a sample of its own.
    pub faster: [u64; EXPONENTS],
    /// Sessions that get samples, not histograms alone.
    pub sampled: u64,
    /// Sessions without any filter clause.
    pub unfiltered: u64,
    /// Sessions with an exclude clause.
    pub excluding: u64,
    /// Sessions with a rate cap.
    pub capped: u64,
    /// Generation since which each group has looked without a break.
    pub since: [u32; GROUPS],
    /// [`field`] bits: fields that any clause asks for.
    pub fields: u32,
    /// Groups that are in use, as a bit mask, and perhaps [`UNCERTAIN`].
    pub groups: u32,
    /// Groups that look inside tunnels.
    pub inner: u32,
    /// Groups that tell flows apart without their VLAN.
    pub ignore_vlan: u32,
    /// Groupings in use.
    pub groupings: u32,
    /// Histograms that each of them may have, so that none takes the room of all.
    pub most_series: u32,
}
layout!(
    Config,
    8 * (PACKET_METRICS + GROUPS + CAP_PLANES + 8 * CLAUSES + EXPONENTS + 4)
        + 32 * GROUPINGS
        + 4 * GROUPS
        + 24
);

/// Beside the groups of a [`Config`]: programs may still run where no group looks, so that an interface has to be looked up
/// though there is but one group.
pub const UNCERTAIN: u32 = 1 << 31;

/// Filter clauses a session can have.
pub const CLAUSES: usize = 8;
/// Exponents that a latency may have.
pub const EXPONENTS: usize = 64;
/// Bits of a rate cap: samples a second and CPU below 2^20.
pub const CAP_PLANES: usize = 20;

/// The value of every classification table: word c holds, bit by session, whether clause c accepts. A flow belongs to a
/// session when some word has its bit set in every table.
pub type Clauses = [u64; CLAUSES];

/// Key of the classification trie: what is looked up, in which bank, then the address or port.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrieKey {
    /// [`field`] bit, whole.
    pub field: u32,
    /// Bank: low bit of the generation.
    pub bank: u32,
    /// Address as on the wire (IPv4 in the first 4 bytes), or a port as on the wire in the first 2.
    pub data: [u32; 4],
}
layout!(TrieKey, 24);

/// Prefix length of a [`TrieKey`] before its `data` begins.
pub const TRIE_PREFIX: u32 = 64;

/// Fields of a filter, as bits. In a [`TrieKey`] IPv4 and IPv6 addresses are told apart by [`field::IPV6`], exclude
/// clauses by [`field::EXCLUDE`].
pub mod field {
    /// Client's address.
    pub const CLIENT: u32 = 1;
    /// Server's address.
    pub const SERVER: u32 = 2;
    /// Either side's address.
    pub const EITHER: u32 = 4;
    /// Client's port.
    pub const CLIENT_PORT: u32 = 8;
    /// Server's port.
    pub const SERVER_PORT: u32 = 16;
    /// Either side's port.
    pub const EITHER_PORT: u32 = 32;
    /// Outer VLAN id.
    pub const VLAN: u32 = 64;
    /// Port at which DNS over UDP is looked for; of this and the next two only word 0 of the value counts, as bit by session.
    pub const DNS_UDP: u32 = 128;
    /// Port at which DNS over TCP is looked for.
    pub const DNS_TCP: u32 = 256;
    /// Port at which QUIC is looked for.
    pub const QUIC: u32 = 512;
    /// Process that called connect, of sockets.
    pub const PID: u32 = 1024;
    /// Name of that task.
    pub const COMM: u32 = 2048;
    /// Cgroup of a socket, or one above it.
    pub const CGROUP: u32 = 4096;
    /// Fields are those of IPv6.
    pub const IPV6: u32 = 1 << 30;
    /// The clause excludes.
    pub const EXCLUDE: u32 = 1 << 31;
}

/// What an interface is to the engine; value of the interface table, by ifindex.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// Groups that look at it, as a bit mask.
    pub groups: u32,
}
layout!(Interface, 4);
