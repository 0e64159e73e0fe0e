//! Link layers (<https://www.tcpdump.org/linktypes.html>), turned into what the programs know: Ethernet, or none.

use std::borrow::Cow;

/// A frame as it can be fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framed<'a> {
    /// Begins with an Ethernet header; `cut` bytes of what was on the wire are not in it.
    Ethernet { bytes: Cow<'a, [u8]>, cut: u32 },
    /// Begins with the IP header, after `cut` bytes of link layer.
    Raw { bytes: &'a [u8], cut: u32 },
    /// Carries nothing that is measured.
    Other,
    /// Ends before its link layer does.
    Short,
    /// Of a link type that is not read.
    Unknown,
}

/// Ethernet types of IPv4 and IPv6.
const IP: [[u8; 2]; 2] = [[0x08, 0x00], [0x86, 0xdd]];

/// Turns a frame of `link_type`.
pub(super) fn framed(link_type: u16, bytes: &[u8]) -> Framed<'_> {
    match link_type {
        0 | 108 => null(bytes),
        1 => Framed::Ethernet {
            bytes: Cow::Borrowed(bytes),
            cut: 0,
        },
        9 | 50 => ppp(bytes),
        12 | 14 | 101 | 228 | 229 => raw(bytes, 0),
        113 => cooked(bytes),
        276 => cooked2(bytes),
        _ => Framed::Unknown,
    }
}

/// The link types that are read, for a person.
pub(super) const READ: &str =
    "Ethernet, Linux cooked v1 and v2, raw IP, null/loopback and PPP are read";

/// `127 (IEEE 802.11 with radiotap)`; the number alone where it is a rare one.
pub(super) fn name(link_type: u16) -> String {
    let known = match link_type {
        6 => "Token Ring",
        10 => "FDDI",
        105 => "IEEE 802.11",
        119 => "IEEE 802.11 with Prism header",
        127 => "IEEE 802.11 with radiotap",
        189 | 220 => "Linux USB",
        195 | 230 => "IEEE 802.15.4",
        201 => "Bluetooth HCI",
        239 => "NFLOG",
        249 => "USBPcap",
        252 => "Wireshark upper PDU",
        253 => "netlink",
        _ => return link_type.to_string(),
    };
    format!("{link_type} ({known})")
}

fn raw(bytes: &[u8], cut: usize) -> Framed<'_> {
    match bytes.get(cut..) {
        Some(bytes) => Framed::Raw {
            bytes,
            cut: cut as u32,
        },
        None => Framed::Short,
    }
}

/// Four bytes of address family: 2 is IPv4 everywhere, IPv6 is 10 on Linux, 24, 28 or 30 on BSDs and macOS. In the byte
/// order of whoever captured it for 0, in network order for 108.
fn null(bytes: &[u8]) -> Framed<'_> {
    let Some((family, _)) = bytes.split_first_chunk() else {
        return Framed::Short;
    };
    let family = u32::from_be_bytes(*family).min(u32::from_le_bytes(*family));
    match family {
        2 | 10 | 24 | 28 | 30 => raw(bytes, 4),
        _ => Framed::Other,
    }
}

/// PPP, with or without address and control field (RFC 1662, 3.1) and with the protocol's first byte left out or not (6.5);
/// Cisco's variant has an Ethernet type in its place.
fn ppp(bytes: &[u8]) -> Framed<'_> {
    const IPV4: u8 = 0x21;
    const IPV6: u8 = 0x57;
    match bytes {
        [0x0f | 0x8f, 0, kind @ ..] if kind.len() >= 2 => {
            if IP.iter().any(|it| kind.starts_with(it)) {
                raw(bytes, 4)
            } else {
                Framed::Other
            }
        }
        [0xff, 0x03, 0, IPV4 | IPV6, ..] => raw(bytes, 4),
        [0xff, 0x03, IPV4 | IPV6, ..] => raw(bytes, 3),
        [0, IPV4 | IPV6, ..] => raw(bytes, 2),
        [IPV4 | IPV6, ..] => raw(bytes, 1),
        [_, _, _, _, ..] => Framed::Other,
        _ => Framed::Short,
    }
}

/// Linux cooked v1: 16 bytes, of which the last two are the Ethernet type, behind an address of 8 bytes: with its first
/// two bytes left out it is as good as an Ethernet header.
fn cooked(bytes: &[u8]) -> Framed<'_> {
    const HEADER: usize = 16;
    match bytes.get(HEADER - 2..HEADER) {
        None => Framed::Short,
        Some(kind) if IP.iter().any(|it| kind == it) => raw(bytes, HEADER),
        Some(_) => Framed::Ethernet {
            bytes: Cow::Borrowed(&bytes[2..]),
            cut: 2,
        },
    }
}

/// Linux cooked v2: 20 bytes, of which the first two are the Ethernet type.
fn cooked2(bytes: &[u8]) -> Framed<'_> {
    const HEADER: usize = 20;
    const ADDRESSES: usize = 12;
    let Some((head, rest)) = bytes.split_at_checked(HEADER) else {
        return Framed::Short;
    };
    let kind = &head[..2];
    if IP.iter().any(|it| kind == it) {
        return raw(bytes, HEADER);
    }
    let mut frame = vec![0; ADDRESSES];
    frame.extend_from_slice(kind);
    frame.extend_from_slice(rest);
    Framed::Ethernet {
        bytes: Cow::Owned(frame),
        cut: (HEADER - ADDRESSES - 2) as u32,
    }
}

/// What a frame of a capture on all interfaces says about where it was seen: of Linux cooked v2 the interface's index, of v1
/// whether it was on its way out, which tells a forwarded packet's second sighting from the first. Else 0.
pub(super) fn seen_at(link_type: u16, bytes: &[u8]) -> u32 {
    const OUTGOING: [u8; 2] = [0, 4];
    match link_type {
        113 => u32::from(bytes.starts_with(&OUTGOING)),
        276 => bytes
            .get(4..8)
            .and_then(|it| it.try_into().ok())
            .map_or(0, u32::from_be_bytes),
        _ => 0,
    }
}

/// Where the IP header of an Ethernet frame is, behind VLAN tags, MPLS labels and `PPPoE`; `None` where there is none.
pub(super) fn ip_at(frame: &[u8]) -> Option<usize> {
    const TAGS: usize = 8;
    let mut kind_at = 12;
    for _ in 0..TAGS {
        let kind = frame.get(kind_at..kind_at + 2)?;
        match [kind[0], kind[1]] {
            [0x08, 0x00] | [0x86, 0xdd] => return Some(kind_at + 2),
            [0x81 | 0x91, 0x00] | [0x88, 0xa8] => kind_at += 4,
            [0x88, 0x64] => return Some(kind_at + 10),
            [0x88, 0x47 | 0x48] => {
                let labels = frame.get(kind_at + 2..)?.chunks_exact(4);
                let last = labels.clone().position(|it| it[2] & 1 != 0)?;
                return Some(kind_at + 2 + (last + 1) * 4);
            }
            _ => return None,
        }
    }
    None
}
