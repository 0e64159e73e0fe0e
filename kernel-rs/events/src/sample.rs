//! A sample of the packet engine on its way through the ring buffer.

use crate::layout;

/// One latency, for every session in `mask`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PacketSample {
    /// Sessions that get it.
    pub mask: u64,
    /// When the end event happened, `CLOCK_MONOTONIC` ns (the capture's clock in replay).
    pub time_ns: u64,
    /// The latency, ns.
    pub latency_ns: u64,
    /// The side that opened the flow; IPv4 in the first 4 bytes.
    pub client: [u32; 4],
    /// The other side.
    pub server: [u32; 4],
    /// Generation of the session set that `mask` speaks of.
    pub generation: u32,
    /// Interface that saw the end event.
    pub ifindex: u32,
    /// errno of a failed connect, DNS rcode; else 0.
    pub result: i32,
    /// Client's port, host byte order.
    pub client_port: u16,
    /// Server's port, host byte order.
    pub server_port: u16,
    /// Outer VLAN id; 0 when untagged.
    pub vlan: u16,
    /// `metric::quality` bits.
    pub quality: u16,
    /// `metric` number.
    pub metric: u8,
    /// IP protocol number.
    pub protocol: u8,
    /// [`flags`].
    pub flags: u8,
    /// `latscope.v1.Direction`.
    pub direction: u8,
    /// TTL or hop limit of the answering packet.
    pub ttl: u8,
    /// SYNs or queries sent before the one that counts.
    pub retries: u8,
    /// Unused.
    pub reserved: u16,
    /// Unused.
    pub reserved_too: u32,
}
layout!(PacketSample, 88);

/// Most rings that samples leave by.
pub const SHARDS: usize = 8;

/// Bytes of a ring where the user side asks for nothing else.
pub const SHARD_BYTES: usize = 1 << 20;

/// What a reader says of itself, in a word for each ring.
pub mod wake {
    /// It looks at the ring: nothing wakes it.
    pub const AWAKE: u32 = 0;
    /// It sleeps until there is a record.
    pub const SLEEPS: u32 = 1;
    /// It will look by itself, unless the ring fills.
    pub const LINGERS: u32 = 2;
}

/// Bits of [`PacketSample::flags`].
pub mod flags {
    /// Addresses are IPv6.
    pub const IPV6: u8 = 1;
    /// The measured packet left the server side.
    pub const FROM_SERVER: u8 = 2;
    /// Joined midway: the client is the side with the higher port.
    pub const OPENER_UNKNOWN: u8 = 4;
}

/// Values of [`PacketSample::direction`].
pub mod direction {
    /// Opened by this host.
    pub const OUTBOUND: u8 = 1;
    /// Opened towards this host.
    pub const INBOUND: u8 = 2;
    /// Passing through.
    pub const FORWARDED: u8 = 3;
}

/// Bytes of a DNS name on the wire, with its type and class behind it, and room to the next word.
pub const NAME: usize = 264;

/// A sample with the name that was asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NamedSample {
    /// The latency.
    pub sample: PacketSample,
    /// The name, labels and their lengths as on the wire; whatever is behind its end means nothing.
    pub name: [u8; NAME],
}
layout!(NamedSample, 88 + NAME);
