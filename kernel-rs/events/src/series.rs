//! What a histogram is the histogram of: sessions, a metric, and the keys that the sessions group by.

use crate::layout;

/// Ways of grouping that the sessions of one engine may have at once.
pub const GROUPINGS: usize = 16;
/// Groupings whose round-trip histogram a flow remembers; for others it is looked up each time.
pub const REMEMBERED: usize = 4;

/// Sessions that group in the same way. Empty masks are of keys that they do not group by.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Those sessions.
    pub sessions: u64,
    /// [`key`] bits.
    pub keys: u32,
    /// Network mask of an IPv4 prefix, as on the wire.
    pub ipv4_mask: u32,
    /// Network mask of an IPv6 prefix, as on the wire.
    pub ipv6_mask: [u32; 4],
}
layout!(Grouping, 32);

/// Keys that the packet and the socket engine group by, as bits.
pub mod key {
    /// Prefix of the client's address.
    pub const CLIENT_PREFIX: u32 = 1;
    /// Prefix of the server's address.
    pub const SERVER_PREFIX: u32 = 2;
    /// Server's port.
    pub const SERVER_PORT: u32 = 4;
    /// Interface that saw the end event.
    pub const INTERFACE: u32 = 8;
    /// IP protocol.
    pub const PROTOCOL: u32 = 16;
    /// errno or rcode.
    pub const RESULT: u32 = 32;
    /// Name of the task, of sockets.
    pub const COMM: u32 = 64;
    /// Cgroup, of sockets.
    pub const CGROUP: u32 = 128;
}

/// Identity of a histogram. Fields that are not grouped by are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesKey {
    /// Sessions whose latencies are counted here.
    pub sessions: u64,
    /// Client's prefix, as on the wire; IPv4 in the first word.
    pub client: [u32; 4],
    /// Server's prefix.
    pub server: [u32; 4],
    /// Interface.
    pub ifindex: u32,
    /// errno of a failed connect, DNS rcode.
    pub result: i32,
    /// Server's port, host byte order.
    pub server_port: u16,
    /// Metric number.
    pub metric: u8,
    /// Index of the grouping.
    pub grouping: u8,
    /// IP protocol number.
    pub protocol: u8,
    /// [`flags`].
    pub flags: u8,
    /// Unused.
    pub reserved: u16,
}
layout!(SeriesKey, 56);

/// Bits of [`SeriesKey::flags`].
pub mod flags {
    /// Low bit of the generation.
    pub const BANK: u8 = 1;
    /// Addresses are IPv6.
    pub const IPV6: u8 = 2;
    /// What is beyond the room for histograms.
    pub const OTHER: u8 = 4;
}

/// Words of the pool of free histograms: its numbers stand in a ring of `SIZE` entries.
pub mod pool {
    /// Entries taken so far; the programs write it.
    pub const TAKEN: u32 = 0;
    /// Entries put in so far; the user side writes it.
    pub const GIVEN: u32 = 1;
    /// Entries that are kept for [`super::flags::OTHER`].
    pub const RESERVE: u32 = 2;
    /// Entries of the ring.
    pub const SIZE: u32 = 3;
    /// Words.
    pub const WORDS: usize = 4;
}

/// How a flow remembers a histogram: number + 1 in the low bits, the generation's low bit in the highest; 0 is none. One
/// that a program of the generation before left behind is told by that bit.
pub mod remembered {
    const BANK_BIT: u32 = 15;
    /// Largest count of histograms.
    pub const MOST: u32 = (1 << BANK_BIT) - 1;

    /// Packs a number + 1.
    #[inline(always)]
    #[must_use]
    pub const fn pack(number: u32, generation: u32) -> u16 {
        (number | (generation & 1) << BANK_BIT) as u16
    }

    /// The number + 1; 0 when there is none of this generation.
    #[inline(always)]
    #[must_use]
    pub const fn unpack(packed: u16, generation: u32) -> u32 {
        if packed as u32 >> BANK_BIT == generation & 1 {
            packed as u32 & MOST
        } else {
            0
        }
    }
}
