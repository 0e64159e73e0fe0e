//! From frame to [`Packet`]: link layer, network layer, tunnels, transport (ACCURACY.md 16 to 19).

use aya_ebpf::bindings::__sk_buff;
use latscope_events::refusal;

use crate::{
    icmp,
    ip::{ipv4, ipv6},
    load::load,
    packet::Packet,
    tcp, tunnel, udp,
};

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

/// IP protocol numbers.
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const IPIP: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const IPV6: u8 = 41;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const ICMPV6: u8 = 58;
}

/// Ethernet types.
pub(crate) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const TRANSPARENT_BRIDGING: u16 = 0x6558;
    pub(crate) const MPLS: u16 = 0x8847;
    pub(crate) const MPLS_MULTICAST: u16 = 0x8848;
    pub(crate) const PPPOE_SESSION: u16 = 0x8864;
}

const ETHERNET_HEADER: u32 = 14;
/// VLAN tags and MPLS labels of one frame that are looked behind.
const TAGS: usize = 8;

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
    // What the device took off (a VLAN interface below a tunnel) is no part of the packet here.
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
    parse_ethernet_at(ctx, 0, packet)
}

/// Parses an Ethernet frame that begins at `offset`.
#[inline(always)]
pub(crate) fn parse_ethernet_at(ctx: *mut __sk_buff, offset: u32, packet: &mut Packet) -> u32 {
    let behind = offset + ETHERNET_HEADER;
    match load::<u16>(ctx, behind - 2).map(u16::from_be) {
        None => refusal::UNPARSABLE,
        Some(ethertype::IPV4) => ipv4(ctx, behind, packet),
        Some(ethertype::IPV6) => ipv6(ctx, behind, packet),
        Some(other) => parse_tagged(ctx, u32::from(other), behind, packet),
    }
}

/// What follows an Ethernet type that is not IP: VLAN tags, MPLS labels, PPPoE, and in the end perhaps IP.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn parse_tagged(
    ctx: *mut __sk_buff,
    kind: u32,
    offset: u32,
    packet: *mut Packet,
) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return IGNORE;
    };
    let mut kind = kind as u16;
    let mut offset = offset;
    for _ in 0..TAGS {
        let Some([first, second]) = load::<[u16; 2]>(ctx, offset) else {
            return if matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
                refusal::UNPARSABLE
            } else {
                IGNORE
            };
        };
        match kind {
            0x8100 | 0x88a8 | 0x9100 => {
                tagged(packet, u16::from_be(first));
                kind = u16::from_be(second);
                offset += 4;
            }
            ethertype::MPLS | ethertype::MPLS_MULTICAST => {
                offset += 4;
                // Bottom of stack (RFC 3032, 2.1): what follows says itself which IP it is.
                if u16::from_be(second) & 0x0100 != 0 {
                    kind = match load::<[u8; 4]>(ctx, offset).map(|[first, ..]| first >> 4) {
                        Some(4) => ethertype::IPV4,
                        Some(6) => ethertype::IPV6,
                        _ => return IGNORE,
                    };
                }
            }
            ethertype::PPPOE_SESSION => {
                // Six bytes of header, then the PPP protocol (RFC 2516, 4).
                kind = match load::<u16>(ctx, offset + 6).map(u16::from_be) {
                    Some(0x0021) => ethertype::IPV4,
                    Some(0x0057) => ethertype::IPV6,
                    _ => return IGNORE,
                };
                offset += 8;
            }
            _ => break,
        }
    }
    match kind {
        ethertype::IPV4 => ipv4(ctx, offset, packet),
        ethertype::IPV6 => ipv6(ctx, offset, packet),
        _ => IGNORE,
    }
}

/// Goes on to the innermost IP header, if the packet is a tunnel's. Otherwise leaves it as it is.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn parse_inner(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    tunnel::innermost(ctx, packet)
}

/// The transport header.
#[inline(always)]
pub(crate) fn transport(ctx: *mut __sk_buff, packet: *mut Packet) -> u32 {
    // SAFETY: callers pass a valid packet.
    match unsafe { (*packet).protocol } {
        protocol::TCP => tcp::parse_tcp(ctx, packet),
        protocol::UDP => udp::parse_udp(ctx, packet),
        protocol::ICMP | protocol::ICMPV6 => icmp::parse_icmp(ctx, packet),
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
