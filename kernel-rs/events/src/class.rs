//! Classes: distinct session masks. Counters and histograms are kept by class, so that their cost does not grow with the
//! number of sessions; the user side adds the classes of a session.

use crate::{layout, metric::PACKET_METRICS, refusal::REASONS};

/// Classes of one generation. Two banks, by the generation's low bit.
pub const CLASSES: usize = 256;
/// Places tried for a mask before its samples are counted as lost for want of one.
pub const PROBES: usize = 32;
/// No class could be had.
pub const NONE: u16 = u16::MAX;

/// Counters of a class on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ClassStats {
    /// Latencies told apart, by metric.
    pub measured: [u64; PACKET_METRICS],
    /// Round trips not reported, by reason.
    pub refused_rtt: [u64; REASONS],
    /// Latencies of other metrics not reported, by reason.
    pub refused: [u64; REASONS],
}
layout!(ClassStats, 8 * (PACKET_METRICS + 2 * REASONS));

/// Length of tables indexed by [`kind`]; a power of two, so that an index can be masked.
pub const KINDS: usize = 8;

/// Kinds of starts that wait for their end. Those that wait in a table of their own have the code in their key.
pub mod kind {
    use crate::flow::protocol;

    /// The first Initial of a QUIC flow, once the server answered anything.
    pub const QUIC: u32 = 0;
    /// A SYN, or a SYN-ACK whose SYN was not seen.
    pub const TCP: u32 = protocol::TCP;
    /// A burst of datagrams.
    pub const UDP: u32 = protocol::UDP;
    /// An echo request.
    pub const ECHO: u32 = protocol::ECHO;
    /// A DNS query.
    pub const DNS: u32 = protocol::DNS;
    /// A segment.
    pub const SEGMENT: u32 = 5;
    /// A SYN-ACK.
    pub const SYN_ACK: u32 = 6;
    /// The first byte of a request over TCP.
    pub const REQUEST: u32 = 7;
}

/// What belongs to no flow, by group, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GroupStats {
    /// Latencies not reported (fragments, malformed packets), by reason.
    pub refused: [u64; REASONS],
    /// Starts, by [`kind`].
    pub begun: [u64; KINDS],
    /// Those that were answered, merged with another, or counted as refused. The rest waits, or was never answered.
    pub ended: [u64; KINDS],
}
layout!(GroupStats, 8 * (REASONS + 2 * KINDS));

/// The preferred place of a mask in the class table.
#[inline(always)]
#[must_use]
pub const fn place(mask: u64) -> usize {
    (mask.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize & (CLASSES - 1)
}
