//! What sessions ask of single metrics: at which ports a service is looked for, how long an end is waited for, how much silence
//! ends an exchange. One bank a generation parity, as [`crate::config`].

use crate::{SESSIONS, flow::GROUPS, layout, metric::PACKET_METRICS};

/// Words of a set of ports.
pub const PORT_WORDS: usize = 1 << 16 >> 6;

/// Services that are told by their port; indices of [`Options::ports`].
pub mod service {
    /// DNS over UDP.
    pub const DNS_UDP: usize = 0;
    /// DNS over TCP.
    pub const DNS_TCP: usize = 1;
    /// QUIC.
    pub const QUIC: usize = 2;
    /// How many there are.
    pub const COUNT: usize = 3;
}

/// The options of one generation of the session set.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Ports at which any session looks for each [`service`]: bit by port, host byte order. Which sessions, the trie knows.
    pub ports: [[u64; PORT_WORDS]; service::COUNT],
    /// ns beyond which a latency of each metric is none, by session.
    pub timeout: [[u64; SESSIONS]; PACKET_METRICS],
    /// The shortest of them: what is not beyond it is nobody's loss.
    pub shortest: [u64; PACKET_METRICS],
    /// ns of silence after which a datagram starts a new exchange, by flow group.
    pub idle: [u64; GROUPS],
}
layout!(
    Options,
    8 * (service::COUNT * PORT_WORDS + (SESSIONS + 1) * PACKET_METRICS + GROUPS)
);
