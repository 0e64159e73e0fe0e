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
    /// It began with a QUIC Initial.
    pub const QUIC: u8 = 16;
    /// A SYN-ACK opened it, and only SYN-ACKs followed; `time` is 0 when it cannot be told from another copy.
    pub const SYN_ACK: u8 = 32;
}

/// Key of a transaction: DNS and echo, whose messages bear an id. Reply and request have the same key.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionKey {
    /// Who asks; IPv4 in the first word.
    pub client: [u32; 4],
    /// Who answers.
    pub server: [u32; 4],
    /// The asker's port, as on the wire; 0 where there is none.
    pub client_port: u16,
    /// The answerer's port.
    pub server_port: u16,
    /// VLANs, group, protocol: [`crate::flow::tag`].
    pub tag: u32,
    /// Id, and of an echo its sequence number in the low half.
    pub id: u32,
    /// Hash of the question.
    pub question: u32,
}
layout!(TransactionKey, 48);
