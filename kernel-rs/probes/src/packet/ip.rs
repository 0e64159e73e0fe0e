//! IPv4 and IPv6 headers (RFC 791; RFC 8200, 4).

use aya_ebpf::bindings::__sk_buff;
use latscope_events::refusal;

use crate::{
    load::{frame_length, load},
    packet::Packet,
    parse::{FOLLOW, IGNORE, protocol},
};

#[repr(C)]
#[derive(Clone, Copy)]
struct Ipv4 {
    version_ihl: u8,
    tos: u8,
    total_length: u16,
    id: u16,
    fragment: u16,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    src: u32,
    dst: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Ipv6 {
    version: u32,
    payload_length: u16,
    next_header: u8,
    hop_limit: u8,
    src: [u32; 4],
    dst: [u32; 4],
}

const EXTENSION_HEADERS: usize = 8;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// IPv4 with options, from `offset` on. Leaves where the payload lies in the packet.
#[inline(always)]
pub(crate) fn ipv4(ctx: *mut __sk_buff, offset: u32, packet: &mut Packet) -> u32 {
    let Some(header) = load::<Ipv4>(ctx, offset) else {
        return refusal::UNPARSABLE;
    };
    let header_length = u32::from(header.version_ihl & 15) * 4;
    if header.version_ihl >> 4 != 4 || header_length < 20 {
        return refusal::UNPARSABLE;
    }
    let available = frame_length(ctx).wrapping_sub(offset);
    let mut length = u32::from(u16::from_be(header.total_length));
    if length == 0 {
        // The stack leaves it to the device to fill it in (TSO).
        length = available;
    }
    if length < header_length || length > available {
        return refusal::UNPARSABLE;
    }
    packet.src = [header.src, 0, 0, 0];
    packet.dst = [header.dst, 0, 0, 0];
    packet.version = 4;
    packet.ttl = header.ttl;
    packet.protocol = header.protocol;
    packet.payload = offset + header_length;
    packet.payload_length = length - header_length;
    let fragment = u16::from_be(header.fragment);
    part(
        header.protocol,
        fragment & OFFSET != 0,
        fragment & MORE_FRAGMENTS != 0,
    )
}

/// IPv6 and its extension headers, from `offset` on. A function of its own, which the verifier walks once.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn ipv6(ctx: *mut __sk_buff, offset: u32, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    let Some(header) = load::<Ipv6>(ctx, offset) else {
        return refusal::UNPARSABLE;
    };
    if u32::from_be(header.version) >> 28 != 6 {
        return refusal::UNPARSABLE;
    }
    let mut offset = offset + 40;
    let available = frame_length(ctx).wrapping_sub(offset);
    let mut length = u32::from(u16::from_be(header.payload_length));
    if length == 0 {
        length = available;
    }
    if length > available {
        return refusal::UNPARSABLE;
    }
    packet.src = header.src;
    packet.dst = header.dst;
    packet.version = 6;
    packet.ttl = header.hop_limit;
    let mut next = header.next_header;
    let mut fragment = 0;
    for _ in 0..EXTENSION_HEADERS {
        // Hop-by-hop, routing, destination options; then fragment, authentication.
        if !matches!(next, 0 | 43 | 60 | 44 | 51) {
            break;
        }
        let Some([following, extent, high, low]) = load::<[u8; 4]>(ctx, offset) else {
            return refusal::UNPARSABLE;
        };
        let size = match next {
            44 => {
                fragment = u16::from_be_bytes([high, low]);
                8
            }
            51 => (u32::from(extent) + 2) * 4,
            _ => (u32::from(extent) + 1) * 8,
        };
        if size > length {
            return refusal::UNPARSABLE;
        }
        next = following;
        offset += size;
        length -= size;
        if fragment & 0xfff8 != 0 {
            // What follows is the middle of something.
            break;
        }
    }
    packet.protocol = next;
    packet.payload = offset;
    packet.payload_length = length;
    // A fragment header alone makes no fragment: atomic ones (RFC 6946) are whole.
    part(next, fragment & 0xfff8 != 0, fragment & 1 != 0)
}

/// Whether a part of a packet can be followed: later parts have no ports, and the first part of a TCP segment does not tell
/// where the segment ends (ACCURACY.md 17).
#[inline(always)]
fn part(kind: u8, later: bool, more: bool) -> u32 {
    if later || more && kind == protocol::TCP {
        refusal::FRAGMENT
    } else {
        FOLLOW
    }
}
