//! A packet as parsed.

use core::cell::Cell;

use latscope_events::flow::tag;
use latscope_matching::Segment;

/// What the parser found out about a packet. Addresses and ports as on the wire.
#[repr(C)]
pub(crate) struct Packet {
    /// Sender; IPv4 in the first word.
    pub(crate) src: [u32; 4],
    /// Receiver.
    pub(crate) dst: [u32; 4],
    /// The capture's time in replay, else 0.
    pub(crate) time: u64,
    /// TCP header.
    pub(crate) segment: Segment,
    /// Sender's port.
    pub(crate) sport: u16,
    /// Receiver's port.
    pub(crate) dport: u16,
    /// Outer VLAN id; 0 when untagged.
    pub(crate) outer_vlan: u16,
    /// Inner VLAN id.
    pub(crate) inner_vlan: u16,
    /// Interface that sees it.
    pub(crate) ifindex: u32,
    /// Interface and hook: `flow::home`.
    pub(crate) home: u32,
    /// Coarse time.
    pub(crate) coarse: u32,
    /// Flow group it is looked at for.
    pub(crate) group: u32,
    /// Groups that tell flows apart without their VLAN.
    pub(crate) ignore_vlan: u32,
    /// Where the payload of the header parsed last begins.
    pub(crate) payload: u32,
    /// Bytes from there to the end of the packet.
    pub(crate) payload_length: u32,
    /// Id of a DNS message.
    pub(crate) id: u32,
    /// Hash of its question.
    pub(crate) question: u32,
    /// IP protocol number.
    pub(crate) protocol: u8,
    /// 4 or 6.
    pub(crate) version: u8,
    /// TTL or hop limit.
    pub(crate) ttl: u8,
    /// 1 when this host made it.
    pub(crate) local: u8,
    /// Side of the flow that sent it: 1 when the sender's (address, port) is the larger.
    pub(crate) side: u8,
    /// What an ICMP message is: `icmp::REQUEST` and so on.
    pub(crate) echo: u8,
    /// What an ICMP error stands for.
    pub(crate) errno: u8,
    /// What a datagram is to QUIC: `latscope_matching::quic`.
    pub(crate) quic: u8,
    /// DNS rcode.
    pub(crate) result: i16,
    /// What it is to DNS: `dns::QUERY` and so on.
    pub(crate) dns: u8,
    /// 1 when a session wants what its flow gives.
    pub(crate) wanted: u8,
    /// Of the latency at hand: the bank of its histograms in bit 0, whether its flow may remember them in bit 1.
    pub(crate) series: Cell<u8>,
    /// Unused.
    pub(crate) reserved: u8,
}

impl Packet {
    /// The key's tag for a protocol code.
    #[inline(always)]
    pub(crate) fn tag(&self, protocol: u32) -> u32 {
        if self.ignore_vlan >> (self.group & 31) & 1 == 0 {
            tag(self.outer_vlan, self.inner_vlan, self.group, protocol)
        } else {
            tag(0, 0, self.group, protocol)
        }
    }
}
