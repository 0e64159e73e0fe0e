//! ICMP and ICMPv6 echo (RFC 792; RFC 4443, 4), and errors that quote a SYN.

use aya_ebpf::bindings::__sk_buff;
use latscope_events::refusal;

use crate::{
    load::load,
    packet::Packet,
    parse::{FOLLOW, IGNORE, protocol},
};

/// `packet.echo` of a request and of a reply.
pub(crate) const REQUEST: u8 = 1;
pub(crate) const REPLY: u8 = 2;
/// `packet.echo` of an error that quotes a TCP segment, whose addresses and ports the packet then has, reversed.
pub(crate) const UNREACHABLE: u8 = 3;

#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    kind: u8,
    code: u8,
    checksum: u16,
    id: u16,
    sequence: u16,
}

const HEADER: u32 = 8;

/// Parses the message at `packet.payload`. An echo's id and sequence take the place of what ports are to others: id in
/// `segment.seq`, sequence in `segment.ack`; its ports are 0, since an id is none (ACCURACY.md 14).
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn parse_icmp(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    let Some(header) = load::<Header>(ctx, packet.payload) else {
        return refusal::UNPARSABLE;
    };
    if packet.payload_length < HEADER {
        return refusal::UNPARSABLE;
    }
    let six = packet.protocol == protocol::ICMPV6;
    if six != (packet.version == 6) {
        return IGNORE;
    }
    packet.echo = match (six, header.kind, header.code) {
        (false, 8, 0) | (true, 128, 0) => REQUEST,
        (false, 0, 0) | (true, 129, 0) => REPLY,
        (false, 3, code) => return quoted4(ctx, packet, code),
        (true, 1, code) => return quoted6(ctx, packet, code),
        _ => return IGNORE,
    };
    packet.sport = 0;
    packet.dport = 0;
    packet.segment.seq = u32::from(u16::from_be(header.id));
    packet.segment.ack = u32::from(u16::from_be(header.sequence));
    FOLLOW
}

const ENETUNREACH: u8 = 101;
const ECONNREFUSED: u8 = 111;
const EHOSTUNREACH: u8 = 113;

/// What Linux makes of a destination-unreachable code (net/ipv4/icmp.c, `icmp_err_convert`).
#[inline(always)]
const fn error4(code: u8) -> u8 {
    match code {
        0 | 6 | 9 | 11 => ENETUNREACH,
        3 => ECONNREFUSED,
        _ => EHOSTUNREACH,
    }
}

/// Likewise for IPv6 (net/ipv6/icmp.c, `tab_unreach`).
#[inline(always)]
const fn error6(code: u8) -> u8 {
    match code {
        0 => ENETUNREACH,
        4 => ECONNREFUSED,
        _ => EHOSTUNREACH,
    }
}

/// The quoted packet was ours to the peer; seen from the pending SYN this is an answer, so source and destination change
/// places.
#[inline(always)]
fn quoted4(ctx: *mut __sk_buff, packet: &mut Packet, code: u8) -> u32 {
    let quote = packet.payload + HEADER;
    let Some([first, ..]) = load::<[u8; 4]>(ctx, quote) else {
        return IGNORE;
    };
    let Some([_, protocol, ..]) = load::<[u8; 4]>(ctx, quote + 8) else {
        return IGNORE;
    };
    if first >> 4 != 4 || protocol != protocol::TCP {
        return IGNORE;
    }
    let Some([src, dst]) = load::<[u32; 2]>(ctx, packet.payload + HEADER + 12) else {
        return IGNORE;
    };
    let transport = packet.payload + HEADER + u32::from(first & 15) * 4;
    packet.src = [dst, 0, 0, 0];
    packet.dst = [src, 0, 0, 0];
    quoted_segment(ctx, packet, transport, error4(code))
}

#[inline(always)]
fn quoted6(ctx: *mut __sk_buff, packet: &mut Packet, code: u8) -> u32 {
    let Some([_, _, protocol::TCP, _]) = load::<[u8; 4]>(ctx, packet.payload + HEADER + 4) else {
        return IGNORE;
    };
    let Some([src, dst]) = load::<[[u32; 4]; 2]>(ctx, packet.payload + HEADER + 8) else {
        return IGNORE;
    };
    packet.src = dst;
    packet.dst = src;
    quoted_segment(ctx, packet, packet.payload + HEADER + 40, error6(code))
}

/// The first eight bytes of a segment, which every error quotes (RFC 792).
#[inline(always)]
fn quoted_segment(ctx: *mut __sk_buff, packet: &mut Packet, offset: u32, errno: u8) -> u32 {
    let Some([ports, seq]) = load::<[u32; 2]>(ctx, offset) else {
        return IGNORE;
    };
    let [a, b, c, d] = ports.to_ne_bytes();
    packet.dport = u16::from_ne_bytes([a, b]);
    packet.sport = u16::from_ne_bytes([c, d]);
    packet.segment.seq = u32::from_be(seq);
    packet.echo = UNREACHABLE;
    packet.errno = errno;
    FOLLOW
}
