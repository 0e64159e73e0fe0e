//! What hosts and links do.

use std::ops::RangeInclusive;

/// One millisecond, ns.
pub(crate) const MS: u64 = 1_000_000;

/// The part of the path between the monitor and one of the hosts. Pairs are what goes towards the server, then what goes
/// towards the client.
#[derive(Clone, Debug)]
pub struct Leg {
    /// One-way delay, ns; drawn once for each flow.
    pub delay_ns: RangeInclusive<u64>,
    /// Share of packets that are lost.
    pub loss: [f64; 2],
    /// Share of packets that are held back by up to `hold_ns`.
    pub reorder: [f64; 2],
    /// Longest time that a packet is held back, ns.
    pub hold_ns: u64,
}

impl Leg {
    /// A leg that only delays.
    #[must_use]
    pub const fn of_ms(milliseconds: u64) -> Self {
        let delay = milliseconds * MS;
        Self {
            delay_ns: delay..=delay,
            loss: [0.0; 2],
            reorder: [0.0; 2],
            hold_ns: 0,
        }
    }
}

/// Something that an application sends.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// Bytes that must have been received before.
    pub after_received: u64,
    /// How long it then thinks, ns.
    pub delay_ns: u64,
    /// How much it sends.
    pub bytes: u64,
}

/// What to simulate. `[client, server]` where there are two of something.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a habit that a host has or has not"
)]
pub struct Scenario {
    /// Makes the capture; every random choice follows from it.
    pub seed: u64,
    /// Connections.
    pub flows: usize,
    /// They begin within this time, ns.
    pub spread_ns: u64,
    /// IPv6 in place of IPv4.
    pub ipv6: bool,
    /// One tick of the TCP timestamps, ns; `None` is without the option.
    pub timestamp_tick_ns: Option<u64>,
    /// The path between each host and the monitor.
    pub legs: [Leg; 2],
    /// Largest payload of a segment, bytes.
    pub mss: u32,
    /// Segments that pass the monitor as one packet (TSO) and are cut up behind it.
    pub tso: u32,
    /// Segments that a host keeps in flight.
    pub window: u32,
    /// Time that a segment takes to leave a host, ns.
    pub gap_ns: u64,
    /// Receivers acknowledge every second segment, or after 40 ms; otherwise each.
    pub delayed_acks: bool,
    /// First retransmission timeout, ns. Below the round-trip time it makes spurious retransmissions.
    pub timeout_ns: u64,
    /// After a timeout everything in flight is sent again, not only the first segment.
    pub go_back: bool,
    /// Retransmissions are cut differently from what was sent first.
    pub recut: bool,
    /// What the applications send.
    pub writes: [Vec<Write>; 2],
    /// Hosts close after their last write.
    pub fin: bool,
    /// Idle time after which a host probes whether the other is there, ns.
    pub keep_alive_ns: Option<u64>,
    /// Initial sequence numbers; drawn where `None`.
    pub isn: [Option<u32>; 2],
    /// The monitor sees nothing before this time, ns.
    pub blind_ns: u64,
    /// The capture ends after so many packets.
    pub packets: usize,
}

impl Scenario {
    /// One flow over 10 ms on the client's side and 20 ms on the server's, one megabyte each way, nothing going wrong.
    #[must_use]
    pub fn plain(seed: u64) -> Self {
        let bulk = vec![Write {
            after_received: 0,
            delay_ns: 0,
            bytes: 1 << 20,
        }];
        Self {
            seed,
            flows: 1,
            spread_ns: 0,
            ipv6: false,
            timestamp_tick_ns: Some(MS),
            legs: [Leg::of_ms(10), Leg::of_ms(20)],
            mss: 1448,
            tso: 1,
            window: 4,
            gap_ns: 12_000,
            delayed_acks: true,
            timeout_ns: 300 * MS,
            go_back: false,
            recut: false,
            writes: [bulk.clone(), bulk],
            fin: true,
            keep_alive_ns: None,
            isn: [None; 2],
            blind_ns: 0,
            packets: usize::MAX,
        }
    }

    /// `count` requests, each answered by the server after it thought for a while.
    #[must_use]
    pub fn exchanges(count: u64, request: u64, think_ns: u64, reply: u64) -> [Vec<Write>; 2] {
        let client = (0..count).map(|n| Write {
            after_received: n * reply,
            delay_ns: 5 * MS,
            bytes: request,
        });
        let server = (0..count).map(|n| Write {
            after_received: (n + 1) * request,
            delay_ns: think_ns,
            bytes: reply,
        });
        [client.collect(), server.collect()]
    }
}
