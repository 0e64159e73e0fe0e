//! The flow table: one entry for both directions of a flow.

use crate::{layout, series::REMEMBERED};

/// Segments of one direction that are followed at once (ACCURACY.md 8 asks for at least four).
pub const SLOTS: usize = 8;

/// A flow of IPv4, the whole tuple (ACCURACY.md 21). Side 0 is the numerically smaller `(address, port)`.
///
/// `tag` is [`tag`]: VLANs, flow group and protocol.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey4 {
    /// Addresses of side 0 and side 1, as on the wire.
    pub address: [u32; 2],
    /// Ports of side 0 and side 1, as on the wire.
    pub port: [u16; 2],
    /// VLANs, group, protocol.
    pub tag: u32,
}
layout!(FlowKey4, 16);

/// A flow of IPv6; see [`FlowKey4`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey6 {
    /// Addresses of side 0 and side 1, as on the wire.
    pub address: [[u32; 4]; 2],
    /// Ports of side 0 and side 1, as on the wire.
    pub port: [u16; 2],
    /// VLANs, group, protocol.
    pub tag: u32,
}
layout!(FlowKey6, 40);

/// Packs what a key has beside addresses and ports: outer and inner VLAN id (12 bits each), the flow group (4 bits;
/// sessions that look at the same set of interfaces in the same way share one) and a protocol code (4 bits).
#[inline(always)]
#[must_use]
pub const fn tag(outer_vlan: u16, inner_vlan: u16, group: u32, protocol: u32) -> u32 {
    (outer_vlan as u32 & 0xfff) << 20
        | (inner_vlan as u32 & 0xfff) << 8
        | (group & 15) << 4
        | (protocol & 15)
}

/// Bits of a [`tag`] that hold the protocol code.
pub const CODE: u32 = 15;

/// Flow group in a [`tag`].
#[inline(always)]
#[must_use]
pub const fn group(tag: u32) -> u32 {
    tag >> 4 & 15
}

/// Protocol codes inside a [`tag`].
pub mod protocol {
    /// TCP.
    pub const TCP: u32 = 1;
    /// UDP.
    pub const UDP: u32 = 2;
    /// ICMP and `ICMPv6` echo, in transactions.
    pub const ECHO: u32 = 3;
    /// DNS, in transactions.
    pub const DNS: u32 = 4;
}

/// Flow groups of one engine.
pub const GROUPS: usize = 16;

/// One direction of a TCP flow: what its sender has in flight.
///
/// `left`, and the slots' release, are written by the packets that come back; everything else by the packets that go.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Direction {
    /// Segments being followed, a ring from `tail` to `head`; see [`slot`]. 0 is empty.
    pub slots: [u64; SLOTS],
    /// When the segment followed by its timestamp was sent, ns; 0 when none is.
    pub edge_time: u64,
    /// That segment's `TSval`.
    pub edge_tsval: u32,
    /// Sequence number after that segment.
    pub edge_end: u32,
    /// Highest acknowledgement seen for these bytes.
    pub left: u32,
    /// Highest sequence number sent, exclusive.
    pub right: u32,
    /// The newest hole: bytes that were skipped, `[hole_start, hole_end)`.
    pub hole_start: u32,
    /// End of that hole.
    pub hole_end: u32,
    /// `right` when a duplicate acknowledgement passed: those up to it may have waited for something that was missing.
    pub held: u32,
    /// Newest `TSval` seen on any packet of this direction.
    pub ts_max: u32,
    /// The interface this direction is seen at: [`home`]; 0 before the first packet.
    pub home: u32,
    /// Coarse time of the last packet there.
    pub home_seen: u32,
    /// Next slot to fill.
    pub head: u8,
    /// Oldest slot.
    pub tail: u8,
    /// [`direction`] bits.
    pub flags: u8,
    /// TTL or hop limit of the last packet.
    pub ttl: u8,
    /// Highest acknowledgement of bytes that were not seen: what comes at or below it has arrived before it passed here.
    pub arrived: u32,
}
layout!(Direction, 120);

/// Bits of [`Direction::flags`].
pub mod direction {
    /// `right` is known.
    pub const SENT: u8 = 1;
    /// `ts_max` is known.
    pub const TIMESTAMPS: u8 = 4;
    /// The sender is this host.
    pub const LOCAL: u8 = 8;
    /// A FIN was sent.
    pub const FIN: u8 = 16;
    /// `held` is known.
    pub const HELD: u8 = 32;
    /// `arrived` is known.
    pub const ARRIVED: u8 = 64;
    /// The spin bit of the last short header; in the place of [`SENT`], which TCP alone has.
    pub const SPIN: u8 = 1;
    /// That bit is known.
    pub const SPIN_KNOWN: u8 = 2;
    /// The other direction's bit turned since this one's did.
    pub const ANSWERED: u8 = 4;
}

/// A flow, both directions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// What side 0 and side 1 send.
    pub direction: [Direction; 2],
    /// Sessions that want this flow.
    pub mask: u64,
    /// When the first SYN was sent, ns; 0 when it was not seen.
    pub syn_time: u64,
    /// When the first SYN-ACK was sent, ns; 0 when it was not seen or has been used.
    pub syn_ack_time: u64,
    /// When the first byte of the request under way was sent, ns; 0 when none is.
    pub request_time: u64,
    /// Sequence number after the opener's SYN, without data it carried.
    pub syn_end: u32,
    /// Sequence number after the SYN-ACK.
    pub syn_ack_end: u32,
    /// `TSval` of the first SYN-ACK.
    pub syn_ack_tsval: u32,
    /// Sequence number of the first byte of the request under way.
    pub request_start: u32,
    /// Of a DNS stream: where the next message of each side begins.
    pub stream_next: [u32; 2],
    /// Of a DNS stream: length of that message where its prefix has been read, else 0.
    pub stream_length: [u16; 2],
    /// Window field of the last segment of each side, as on the wire.
    pub window: [u16; 2],
    /// Of a DNS stream: 1 once it is known to be none, or where messages begin is not known any more.
    pub stream_lost: u32,
    /// Round-trip histograms of the first groupings: `series::remembered`.
    pub histograms: [u16; REMEMBERED],
    /// Generation of the session set that `mask` and `class` were decided for.
    pub generation: u32,
    /// Index of the mask's class in the class table of that generation.
    pub class: u16,
    /// [`state`].
    pub state: u8,
    /// Side that opened the flow: 0, 1, or 2 when it was joined midway.
    pub opener: u8,
    /// SYNs sent before the one that was answered.
    pub syn_retries: u8,
    /// [`track`] bits: what any session wants of this flow.
    pub track: u8,
    /// Side whose request is under way; see `request_time`.
    pub requester: u8,
    /// SYN-ACKs whose number was another than that of the one before.
    pub syn_ack_changes: u8,
}
layout!(Flow, 328);

/// Values of [`Flow::state`].
pub mod state {
    /// Established, or joined midway.
    pub const OPEN: u8 = 0;
    /// A SYN-ACK was seen, its acknowledgement was not.
    pub const SYN_ACK: u8 = 1;
    /// Both ends are done, or both reset it: nothing more is measured.
    pub const CLOSED: u8 = 2;
    /// Side 0 reset it: what it sent before may still be acknowledged, nothing else is measured. Plus 1: side 1 did.
    pub const RESET: u8 = 3;
}

/// Bits of [`Flow::track`].
pub mod track {
    /// Handshake halves.
    pub const HANDSHAKE: u8 = 1;
    /// Data round trips.
    pub const RTT: u8 = 2;
    /// Request and reply.
    pub const FIRST_BYTE: u8 = 4;
}

/// Where a direction of a flow is seen.
pub mod home {
    /// Packs an interface index and the hook.
    #[inline(always)]
    #[must_use]
    pub const fn at(ifindex: u32, egress: bool) -> u32 {
        ifindex << 1 | egress as u32
    }
    /// The interface index of a packed home.
    #[inline(always)]
    #[must_use]
    pub const fn ifindex(home: u32) -> u32 {
        home >> 1
    }
}

/// A slot is one word, so that it is published and claimed by one store: the low 24 bits of the sequence number after
/// the segment, then the low 40 bits of its time in ns. 24 bits order all ends that are less than 8 MiB apart, and
/// nothing is followed beyond that; 40 bits wrap after 18 minutes, long after a measurement has expired.
pub mod slot {
    /// Bits of time.
    pub const TIME_BITS: u32 = 40;
    /// Mask of the time.
    pub const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
    /// Bytes in flight beyond which a segment is not followed.
    pub const WINDOW: u32 = 1 << 23;

    /// Packs the end of a segment and its time.
    #[inline(always)]
    #[must_use]
    pub const fn pack(end: u32, time_ns: u64) -> u64 {
        (end as u64) << TIME_BITS | (time_ns & TIME_MASK)
    }
    /// How far `sequence` is beyond the end of the segment in `slot`; negative when before it. Right while the two are
    /// less than [`WINDOW`] apart.
    #[inline(always)]
    #[must_use]
    pub const fn beyond(slot: u64, sequence: u32) -> i32 {
        (sequence << 8).wrapping_sub((slot >> TIME_BITS << 8) as u32) as i32 >> 8
    }
    /// ns from the slot's time to `now_ns`, modulo 2^40.
    #[inline(always)]
    #[must_use]
    pub const fn age(slot: u64, now_ns: u64) -> u64 {
        now_ns.wrapping_sub(slot) & TIME_MASK
    }
}
