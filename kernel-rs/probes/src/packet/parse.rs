//! From frame to [`Packet`]: Ethernet, VLANs, IPv4, IPv6 and its extension headers (ACCURACY.md 16 to 18).

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes};
use latscope_events::refusal;

use crate::{clock::replaying, packet::Packet, tcp};

/// How frames of an interface begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// With an Ethernet header.
    Ethernet,
    /// With the IP header.
    Raw,
}

/// Outcome of parsing: a packet to follow.
pub(crate) const FOLLOW: u32 = 0;
/// Outcome of parsing: nothing that is measured here. Other values are `refusal` numbers.
pub(crate) const IGNORE: u32 = u32::MAX;

/// Offsets beyond this are no header any more.
const LIMIT: u32 = 2048;
const ETHERNET_HEADER: u32 = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const TAGS: usize = 3;
const EXTENSION_HEADERS: usize = 8;

pub(crate) const TCP: u8 = 6;

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

/// Reads a header: from the linear part where it is there, else through the helper, which leaves the packet as it is.
/// `None` when the packet ends before it does.
#[inline(always)]
pub(crate) fn load<T: Copy>(ctx: *mut __sk_buff, offset: u32) -> Option<T> {
    let offset = opaque(offset);
    if offset > LIMIT {
        return None;
    }
    // SAFETY: ctx is the program's context; the bounds are checked as the verifier wants it.
    unsafe {
        let start = (*ctx).data as usize + offset as usize;
        if start + size_of::<T>() <= (*ctx).data_end as usize {
            // Headers may lie at any address, as the kernel's own are read; `read_unaligned` would load bytes.
            return Some((start as *const T).read());
        }
        let mut copy = MaybeUninit::<T>::uninit();
        let failed = bpf_skb_load_bytes(
            ctx.cast(),
            offset,
            copy.as_mut_ptr().cast(),
            size_of::<T>() as u32,
        );
        if failed == 0 {
            Some(copy.assume_init())
        } else {
            None
        }
    }
}

/// The same value, of which the compiler knows nothing: it leaves out checks that it can prove, and the verifier, which
/// cannot prove them, wants to see them.
#[inline(always)]
pub(crate) fn opaque(value: u32) -> u32 {
    let mut value = u64::from(value);
    // SAFETY: a move to itself (no instruction at all would leave two line numbers at one place, which the kernel refuses).
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack)) };
    value as u32
}

/// Bytes of the frame on the wire.
#[inline(always)]
fn frame_length(ctx: *mut __sk_buff) -> u32 {
    // SAFETY: ctx is the program's context.
    unsafe {
        // Opaque, or one load from a chosen offset is made of the two, which the verifier refuses.
        let length = opaque((*ctx).len);
        if replaying() { (*ctx).wire_len } else { length }
    }
}

/// Parses a frame that begins with the IP header. [`FOLLOW`], [`IGNORE`], or why not (`refusal`).
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn parse_raw(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    packet.outer_vlan = 0;
    packet.inner_vlan = 0;
    // No header is shorter than these four bytes; of a single one the verifier would not believe the check.
    match load::<[u8; 4]>(ctx, 0).map(|[first, ..]| first >> 4) {
        Some(4) => ipv4(ctx, 0, packet),
        Some(6) => ipv6(ctx, 0, packet),
        _ => IGNORE,
    }
}

/// Parses an Ethernet frame. [`FOLLOW`], [`IGNORE`], or why not (`refusal`).
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn parse_ethernet(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    packet.outer_vlan = 0;
    packet.inner_vlan = 0;
    // SAFETY: ctx is the program's context.
    unsafe {
        if (*ctx).vlan_present != 0 {
            tagged(packet, (*ctx).vlan_tci as u16);
        }
    }
    let Some(mut ethertype) = load::<u16>(ctx, ETHERNET_HEADER - 2).map(u16::from_be) else {
        return refusal::UNPARSABLE;
    };
    let mut offset = ETHERNET_HEADER;
    for _ in 0..TAGS {
        if !matches!(ethertype, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        let Some([tci, next]) = load::<[u16; 2]>(ctx, offset) else {
            return refusal::UNPARSABLE;
        };
        tagged(packet, u16::from_be(tci));
        ethertype = u16::from_be(next);
        offset += 4;
    }
    match ethertype {
        ETHERTYPE_IPV4 => ipv4(ctx, offset, packet),
        ETHERTYPE_IPV6 => ipv6(ctx, offset, packet),
        _ => IGNORE,
    }
}

/// Notes a VLAN tag: the first is the outer, the second the inner; further ones are not part of the key. Id 0 is a
/// priority tag, no VLAN (IEEE 802.1Q, 9.6).
#[inline(always)]
fn tagged(packet: &mut Packet, tci: u16) {
    let id = tci & 0xfff;
    if id == 0 {
        return;
    }
    if packet.outer_vlan == 0 {
        packet.outer_vlan = id;
    } else if packet.inner_vlan == 0 {
        packet.inner_vlan = id;
    }
}

/// IPv4 with options, from `offset` on (RFC 791).
#[inline(always)]
fn ipv4(ctx: *mut __sk_buff, offset: u32, packet: &mut Packet) -> u32 {
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
    if u16::from_be(header.fragment) & 0x3fff != 0 {
        return fragment(header.protocol);
    }
    transport(ctx, offset + header_length, length - header_length, packet)
}

/// IPv6 and its extension headers, from `offset` on (RFC 8200, 4). A function of its own, which the verifier walks once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn ipv6(ctx: *mut __sk_buff, offset: u32, packet: *mut Packet) -> u32 {
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
    for _ in 0..EXTENSION_HEADERS {
        let size = match next {
            // Hop-by-hop, routing, destination options; then fragment, authentication.
            0 | 43 | 60 | 44 | 51 => {
                let Some([following, extent, high, low]) = load::<[u8; 4]>(ctx, offset) else {
                    return refusal::UNPARSABLE;
                };
                let kind = next;
                next = following;
                match kind {
                    // An atomic fragment (RFC 6946) is whole.
                    44 if u16::from_be_bytes([high, low]) & 0xfff9 != 0 => return fragment(next),
                    44 => 8,
                    51 => (u32::from(extent) + 2) * 4,
                    _ => (u32::from(extent) + 1) * 8,
                }
            }
            _ => break,
        };
        if size > length {
            return refusal::UNPARSABLE;
        }
        offset += size;
        length -= size;
    }
    packet.protocol = next;
    transport(ctx, offset, length, packet)
}

/// A part of a packet: the first of a TCP segment does not tell where the segment ends, the others have no ports.
#[inline(always)]
fn fragment(protocol: u8) -> u32 {
    if protocol == TCP {
        refusal::FRAGMENT
    } else {
        IGNORE
    }
}

/// The transport header at `offset`, with `length` bytes from there to the end of the packet.
#[inline(always)]
fn transport(ctx: *mut __sk_buff, offset: u32, length: u32, packet: &mut Packet) -> u32 {
    match packet.protocol {
        TCP => tcp::parse_tcp(ctx, offset, length, packet),
        _ => IGNORE,
    }
}
