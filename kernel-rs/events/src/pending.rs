//! Peers not yet seen in both directions: a bounded table of its own, so that a flood cannot push out real flows
//! (ACCURACY.md 22).

use crate::layout;

/// The first packets of a tuple, all from one side. The key is the flow's own.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Time of the first packet, ns.
    pub time: u64,
    /// Sequence number after the SYN, or the highest after data.
    pub end: u32,
    /// Sequence number of the SYN.
    pub isn: u32,
    /// `TSval` of the first packet.
    pub tsval: u32,
    /// Where the packets were seen: [`crate::flow::home`].
    pub home: u32,
    /// Coarse time of the last packet.
    pub seen: u32,
    /// Side that sent them.
    pub side: u8,
    /// [`flags`].
    pub flags: u8,
    /// SYNs after the first.
    pub retries: u8,
    /// TTL or hop limit.
    pub ttl: u8,
}
layout!(Pending, 32);

/// Bits of [`Pending::flags`].
pub mod flags {
    /// A SYN opened it, and only SYNs followed.
    pub const SYN: u8 = 1;
    /// `tsval` is known.
    pub const TIMESTAMPS: u8 = 2;
    /// The sender is this host.
    pub const LOCAL: u8 = 4;
    /// A data segment was seen: its round trip cannot be told.
    pub const DATA: u8 = 8;
}
