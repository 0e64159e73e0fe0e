//! Tunnels: IP in IP, 6in4, GRE (RFC 2784, 2890), VXLAN (RFC 7348), Geneve (RFC 8926).

use aya_ebpf::bindings::__sk_buff;

use crate::{
    ip::{ipv4, ipv6},
    load::load,
    packet::Packet,
    parse::{FOLLOW, IGNORE, ethertype, parse_ethernet_at, protocol},
};

/// Tunnels inside each other that are followed.
const DEPTH: usize = 4;

/// What a tunnel carries.
const NONE: u32 = 0;
const ETHERNET: u32 = 1;
const IPV4: u32 = 2;
const IPV6: u32 = 3;

/// Goes on to the innermost IP header.
#[inline(always)]
pub(crate) fn innermost(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    for _ in 0..DEPTH {
        let outcome = match carried(ctx, packet) {
            ETHERNET => parse_ethernet_at(ctx, packet.payload, packet),
            IPV4 => inner4(ctx, packet),
            IPV6 => ipv6(ctx, packet.payload, packet),
            _ => return FOLLOW,
        };
        if outcome != FOLLOW {
            return outcome;
        }
    }
    FOLLOW
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn inner4(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    ipv4(ctx, packet.payload, packet)
}

/// What the packet carries; `packet.payload` is moved to where that begins.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn carried(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return NONE;
    };
    match packet.protocol {
        protocol::IPIP => IPV4,
        protocol::IPV6 => IPV6,
        protocol::GRE => gre(ctx, packet),
        protocol::UDP => in_udp(ctx, packet),
        _ => NONE,
    }
}

#[inline(always)]
fn gre(ctx: *mut __sk_buff, packet: &mut Packet) -> u32 {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const VERSION: u16 = 7;
    let Some([flags, kind]) = load::<[u16; 2]>(ctx, packet.payload) else {
        return NONE;
    };
    let flags = u16::from_be(flags);
    if flags & (ROUTING | VERSION) != 0 {
        return NONE;
    }
    let mut size = 4;
    for field in [CHECKSUM, KEY, SEQUENCE] {
        if flags & field != 0 {
            size += 4;
        }
    }
    packet.payload += size;
    match u16::from_be(kind) {
        ethertype::IPV4 => IPV4,
        ethertype::IPV6 => IPV6,
        ethertype::TRANSPARENT_BRIDGING => ETHERNET,
        _ => NONE,
    }
}

#[inline(always)]
fn in_udp(ctx: *mut __sk_buff, packet: &mut Packet) -> u32 {
    const UDP_HEADER: u32 = 8;
    const HEADER: u32 = 8;
    const VXLAN: u16 = 4789;
    const GENEVE: u16 = 6081;
    let Some([_, dport]) = load::<[u16; 2]>(ctx, packet.payload) else {
        return NONE;
    };
    let at = packet.payload + UDP_HEADER;
    let Some([first, _, _, _]) = load::<[u8; 4]>(ctx, at) else {
        return NONE;
    };
    match u16::from_be(dport) {
        // The flag that a network identifier follows.
        VXLAN if first & 0x08 != 0 => {
            packet.payload = at + HEADER;
            ETHERNET
        }
        GENEVE if first >> 6 == 0 => {
            let Some(kind) = load::<u16>(ctx, at + 2).map(u16::from_be) else {
                return NONE;
            };
            packet.payload = at + HEADER + u32::from(first & 0x3f) * 4;
            match kind {
                ethertype::IPV4 => IPV4,
                ethertype::IPV6 => IPV6,
                ethertype::TRANSPARENT_BRIDGING => ETHERNET,
                _ => NONE,
            }
        }
        _ => NONE,
    }
}
