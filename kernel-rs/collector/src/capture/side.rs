//! Which packets of a capture this host would have sent.

use std::{collections::HashMap, net::IpAddr};

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};

use crate::spec::cidr::Cidr;

/// Tells which packets leave this host: those from the local addresses, where those are given; else those of the side
/// that opened the flow.
pub(super) struct Sides {
    local: Vec<Cidr>,
    recent: HashMap<Flow, bool>,
    older: HashMap<Flow, bool>,
}

/// An address and a port.
type End = (IpAddr, u16);

/// The lower end, the higher end, the protocol.
type Flow = (End, End, u8);

/// Flows of either generation; the answer for a flow shall not change while it lasts, or it seems to change interfaces.
const FLOWS: usize = 1 << 18;

/// What a packet says about itself.
struct Heard {
    from: End,
    to: End,
    protocol: u8,
    opener: Opener,
}

/// What a packet says about who opened its flow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opener {
    Sender,
    Receiver,
    Unsaid,
}

impl Sides {
    pub(super) fn new(local: Vec<Cidr>) -> Self {
        Self {
            local,
            recent: HashMap::new(),
            older: HashMap::new(),
        }
    }

    /// Whether the host sent the packet that begins with the IP header `ip`. The same for every packet of one direction.
    pub(super) fn is_outbound(&mut self, ip: &[u8]) -> bool {
        let Some(heard) = heard(ip) else {
            return false;
        };
        if !self.local.is_empty() {
            let (address, _) = heard.from;
            return self.local.iter().any(|it| contains(it, address));
        }
        let upwards = heard.from <= heard.to;
        let flow = if upwards {
            (heard.from, heard.to, heard.protocol)
        } else {
            (heard.to, heard.from, heard.protocol)
        };
        self.client_is_lower(flow, || {
            let by_sender = match heard.opener {
                Opener::Sender => true,
                Opener::Receiver => false,
                Opener::Unsaid => heard.from.1 >= heard.to.1,
            };
            by_sender == upwards
        }) == upwards
    }

    fn client_is_lower(&mut self, flow: Flow, decide: impl FnOnce() -> bool) -> bool {
        if let Some(known) = self.recent.get(&flow) {
            return *known;
        }
        let answer = self.older.get(&flow).copied().unwrap_or_else(decide);
        if self.recent.len() == FLOWS {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(flow, answer);
        answer
    }
}

fn contains(range: &Cidr, address: IpAddr) -> bool {
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(it) => bytes[..4].copy_from_slice(&it.octets()),
        IpAddr::V6(it) => bytes = it.octets(),
    }
    range.contains(address.is_ipv4(), &bytes)
}

/// Reads as much of a packet as there is; a packet without ports (a fragment, ICMP) is of a flow of its two addresses.
fn heard(ip: &[u8]) -> Option<Heard> {
    let packet = LaxSlicedPacket::from_ip(ip).ok()?;
    let (from, to, payload): (IpAddr, IpAddr, _) = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(it) => (
            it.header().source_addr().into(),
            it.header().destination_addr().into(),
            it.payload(),
        ),
        LaxNetSlice::Ipv6(it) => (
            it.header().source_addr().into(),
            it.header().destination_addr().into(),
            it.payload(),
        ),
        LaxNetSlice::Arp(_) => return None,
    };
    let (ports, opener) = match packet.transport.as_ref() {
        Some(TransportSlice::Tcp(it)) => {
            let opener = match (it.syn(), it.ack()) {
                (true, false) => Opener::Sender,
                (true, true) => Opener::Receiver,
                _ => Opener::Unsaid,
            };
            ((it.source_port(), it.destination_port()), opener)
        }
        Some(TransportSlice::Udp(it)) => {
            ((it.source_port(), it.destination_port()), Opener::Sender)
        }
        _ => ((0, 0), Opener::Sender),
    };
    Some(Heard {
        from: (from, ports.0),
        to: (to, ports.1),
        protocol: payload.ip_number.0,
        opener,
    })
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    const A: [u8; 4] = [10, 0, 0, 1];
    const B: [u8; 4] = [10, 0, 0, 2];

    fn tcp(from: [u8; 4], to: [u8; 4], ports: (u16, u16), syn: bool, ack: bool) -> Vec<u8> {
        let mut step = PacketBuilder::ipv4(from, to, 64).tcp(ports.0, ports.1, 1, 1000);
        if syn {
            step = step.syn();
        }
        if ack {
            step = step.ack(1);
        }
        let mut bytes = Vec::new();
        step.write(&mut bytes, &[]).unwrap();
        bytes
    }

    fn udp(from: [u8; 4], to: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let step = PacketBuilder::ipv4(from, to, 64).udp(ports.0, ports.1);
        step.write(&mut bytes, b"x").unwrap();
        bytes
    }

    fn outbound(sides: &mut Sides, packets: &[Vec<u8>]) -> Vec<bool> {
        packets.iter().map(|it| sides.is_outbound(it)).collect()
    }

    #[test]
    fn the_sender_of_a_syn_is_local() {
        let mut sides = Sides::new(Vec::new());
        let packets = [
            tcp(A, B, (80, 4000), true, false),
            tcp(B, A, (4000, 80), true, true),
            tcp(A, B, (80, 4000), false, true),
        ];
        assert_eq!(outbound(&mut sides, &packets), [true, false, true]);
    }

    #[test]
    fn the_receiver_of_a_syn_ack_is_local() {
        let mut sides = Sides::new(Vec::new());
        let packets = [
            tcp(A, B, (9000, 80), true, true),
            tcp(B, A, (80, 9000), false, true),
        ];
        assert_eq!(outbound(&mut sides, &packets), [false, true]);
    }

    #[test]
    fn joined_midway_the_higher_port_is_local() {
        let mut sides = Sides::new(Vec::new());
        let packets = [
            tcp(B, A, (443, 5000), false, true),
            tcp(A, B, (5000, 443), false, true),
            // Once told, it stays: a packet that changed sides would seem to be seen on another interface.
            tcp(B, A, (443, 5000), true, false),
        ];
        assert_eq!(outbound(&mut sides, &packets), [false, true, false]);
    }

    #[test]
    fn who_speaks_first_is_local_without_a_syn() {
        let mut sides = Sides::new(Vec::new());
        let packets = [
            udp(A, B, (53, 5000)),
            udp(B, A, (5000, 53)),
            udp(B, A, (5001, 53)),
        ];
        assert_eq!(outbound(&mut sides, &packets), [true, false, true]);
    }

    #[test]
    fn given_addresses_decide_alone() {
        let mut sides = Sides::new(vec![Cidr::parse("10.0.0.2/32").unwrap()]);
        let packets = [
            tcp(A, B, (4000, 80), true, false),
            tcp(B, A, (80, 4000), true, true),
        ];
        assert_eq!(outbound(&mut sides, &packets), [false, true]);
    }

    #[test]
    fn what_is_no_ip_is_not_outbound() {
        let mut sides = Sides::new(Vec::new());
        assert!(!sides.is_outbound(&[]) && !sides.is_outbound(&[0x45, 0, 0]));
    }
}
