//! Bytes of a packet.

use etherparse::{
    Ethernet2Header, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, TcpHeader, TcpOptionElement,
    ether_type,
};
use latscope_matching::segment::{ACK, FIN, SYN};

use crate::packet::Packet;

/// The server's port.
pub const SERVER_PORT: u16 = 443;
/// The client's ports begin here.
const CLIENT_PORTS: u16 = 1024;
const PORTS: u32 = 60_000;
/// Window field of every segment.
pub(crate) const WINDOW: u16 = 0xffff;

/// A frame as a capture would have it: cut off behind the headers.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Ethernet, IP and TCP headers, and at most one byte of payload.
    pub bytes: Vec<u8>,
    /// How long it was on the wire.
    pub wire_length: u32,
}

/// Client's and server's (address, port) of a flow. In every other flow the client has the larger address. IPv6 addresses
/// end in the same four bytes.
#[must_use]
pub fn endpoints(flow: u32) -> [([u8; 4], u16); 2] {
    let port = CLIENT_PORTS + (flow % PORTS) as u16;
    let [_, b, c, d] = flow.to_be_bytes();
    let server = if flow.is_multiple_of(2) {
        [192, 0, 2, 1]
    } else {
        [9, 0, 2, 1]
    };
    [([10, b, c, d], port), (server, SERVER_PORT)]
}

/// The clients' ports of so many flows.
#[must_use]
pub fn client_ports(flows: usize) -> std::ops::RangeInclusive<u16> {
    let last = (flows as u32).clamp(1, PORTS) - 1;
    CLIENT_PORTS..=CLIENT_PORTS + last as u16
}

/// The flow of a client's address.
#[must_use]
pub fn flow_of(client: [u8; 4]) -> u32 {
    let [_, b, c, d] = client;
    u32::from_be_bytes([0, b, c, d])
}

fn wide(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
}

/// Makes the frame of a packet. Payload is zeros, of which one byte is kept.
///
/// # Panics
/// When the segment is longer than an IP packet can be.
#[must_use]
pub fn frame(packet: &Packet, ipv6: bool) -> Frame {
    let [client, server] = endpoints(packet.flow);
    let (from, to) = if packet.side == 0 {
        (client, server)
    } else {
        (server, client)
    };
    let mut tcp = TcpHeader::new(from.1, to.1, packet.wire_seq, WINDOW);
    tcp.acknowledgment_number = packet.wire_ack;
    tcp.syn = packet.flags & SYN != 0;
    tcp.fin = packet.flags & FIN != 0;
    tcp.ack = packet.flags & ACK != 0;
    tcp.psh = packet.payload > 0;
    let mut options = Vec::new();
    if tcp.syn {
        options.push(TcpOptionElement::MaximumSegmentSize(1460));
    }
    if let Some((tsval, tsecr)) = packet.timestamps {
        options.extend([
            TcpOptionElement::Noop,
            TcpOptionElement::Noop,
            TcpOptionElement::Timestamp(tsval, tsecr),
        ]);
    }
    tcp.set_options(&options).expect("they fit");
    let payload = vec![0; packet.payload as usize];
    let length = tcp.header_len() + payload.len();
    let mut bytes = Vec::with_capacity(80);
    let mut ethernet = Ethernet2Header {
        source: [2, 0, 0, 0, 0, 1 + packet.side],
        destination: [2, 0, 0, 0, 0, 2 - packet.side],
        ether_type: ether_type::IPV4,
    };
    if ipv6 {
        ethernet.ether_type = ether_type::IPV6;
        bytes.extend(ethernet.to_bytes());
        let ip = Ipv6Header {
            traffic_class: 0,
            flow_label: Ipv6FlowLabel::ZERO,
            payload_length: u16::try_from(length).expect("a segment fits a packet"),
            next_header: IpNumber::TCP,
            hop_limit: 64,
            source: wide(from.0),
            destination: wide(to.0),
        };
        tcp.checksum = tcp.calc_checksum_ipv6(&ip, &payload).expect("it fits");
        bytes.extend(ip.to_bytes());
    } else {
        bytes.extend(ethernet.to_bytes());
        let mut ip = Ipv4Header::new(
            u16::try_from(length).expect("a segment fits a packet"),
            64,
            IpNumber::TCP,
            from.0,
            to.0,
        )
        .expect("a segment fits a packet");
        ip.header_checksum = ip.calc_header_checksum();
        tcp.checksum = tcp.calc_checksum_ipv4(&ip, &payload).expect("it fits");
        bytes.extend(ip.to_bytes());
    }
    bytes.extend(tcp.to_bytes());
    let wire_length = (bytes.len() + payload.len()) as u32;
    bytes.extend(payload.first());
    Frame { bytes, wire_length }
}
