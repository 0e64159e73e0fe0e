//! The UDP header (RFC 768).

use aya_ebpf::bindings::__sk_buff;
use latscope_events::refusal;
use latscope_matching::quic;

use crate::{
    load::load,
    packet::Packet,
    parse::{FOLLOW, IGNORE},
};

#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    sport: u16,
    dport: u16,
    length: u16,
    checksum: u16,
}

const HEADER: u32 = 8;

/// Parses the datagram at `packet.payload`, and moves that behind the header.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn parse_udp(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    let Some(header) = load::<Header>(ctx, packet.payload) else {
        return refusal::UNPARSABLE;
    };
    if packet.payload_length < HEADER || u32::from(u16::from_be(header.length)) < HEADER {
        return refusal::UNPARSABLE;
    }
    packet.sport = header.sport;
    packet.dport = header.dport;
    packet.payload += HEADER;
    packet.payload_length -= HEADER;
    packet.echo = 0;
    packet.quic = quic::NONE;
    FOLLOW
}

/// Finds out what a datagram is to QUIC.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn parse_quic(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: as in `parse_udp`.
    if let Some(packet) = unsafe { packet.as_mut() } {
        packet.quic = quic(ctx, packet);
    }
    0
}

/// What a datagram is to QUIC, by its first packet (RFC 9000, 17; RFC 9369, 3.2).
#[inline(always)]
fn quic(ctx: *mut __sk_buff, packet: &Packet) -> u8 {
    const LONG: u8 = 0x80;
    const FIXED: u8 = 0x40;
    const SPIN: u8 = 0x20;
    const VERSION_2: u32 = 0x6b33_43cf;
    let Some([first, ..]) = load::<[u8; 4]>(ctx, packet.payload) else {
        return quic::NONE;
    };
    if first & LONG == 0 {
        return match first & (FIXED | SPIN) {
            FIXED => quic::SHORT,
            0x60 => quic::SHORT_SPUN,
            _ => quic::NONE,
        };
    }
    let Some(version) = load::<[u8; 4]>(ctx, packet.payload + 1).map(u32::from_be_bytes) else {
        return quic::NONE;
    };
    if version == 0 {
        // Version Negotiation.
        return quic::AGAIN;
    }
    if first & FIXED == 0 {
        return quic::NONE;
    }
    let kind = if version == VERSION_2 {
        (first >> 4).wrapping_sub(1) & 3
    } else {
        first >> 4 & 3
    };
    match kind {
        0 => quic::INITIAL,
        2 => quic::HANDSHAKE,
        3 => quic::AGAIN,
        _ => quic::NONE,
    }
}
