//! Link layers.

use std::borrow::Cow;

use super::super::link::{Framed, framed, ip_at, name, seen_at};

fn raw(bytes: &[u8], cut: u32) -> Framed<'_> {
    Framed::Raw { bytes, cut }
}

fn ethernet(bytes: &[u8], cut: u32) -> Framed<'_> {
    Framed::Ethernet {
        bytes: Cow::Borrowed(bytes),
        cut,
    }
}

/// `header` and `ip`, joined.
fn with(header: &[u8], rest: &[u8]) -> Vec<u8> {
    [header, rest].concat()
}

#[test]
fn null_by_address_family_in_either_byte_order() {
    for family in [2, 10, 24, 28, 30_u32] {
        for (link_type, head) in [
            (0, family.to_le_bytes()),
            (0, family.to_be_bytes()),
            (108, family.to_be_bytes()),
        ] {
            assert_eq!(framed(link_type, &with(&head, b"ip")), raw(b"ip", 4));
        }
    }
    assert_eq!(
        framed(0, &with(&7_u32.to_le_bytes(), b"osi")),
        Framed::Other
    );
    assert_eq!(framed(0, &[2, 0, 0]), Framed::Short);
}

#[test]
fn ppp_with_and_without_what_may_be_left_out() {
    for (head, cut) in [
        (&[0xff, 3, 0, 0x21][..], 4),
        (&[0xff, 3, 0, 0x57], 4),
        (&[0xff, 3, 0x21], 3),
        (&[0, 0x57], 2),
        (&[0x21], 1),
        (&[0x0f, 0, 8, 0], 4),
        (&[0x8f, 0, 0x86, 0xdd], 4),
    ] {
        for link_type in [9, 50] {
            assert_eq!(framed(link_type, &with(head, b"ip..")), raw(b"ip..", cut));
        }
    }
    assert_eq!(
        framed(9, &[0xff, 3, 0xc0, 0x21, 1, 2]),
        Framed::Other,
        "LCP"
    );
    assert_eq!(
        framed(50, &[0x0f, 0, 0x80, 0x35, 1, 2]),
        Framed::Other,
        "SLARP"
    );
    assert_eq!(framed(9, &[0xff, 3]), Framed::Short);
}

#[test]
fn raw_ip_is_itself() {
    for link_type in [12, 14, 101, 228, 229] {
        assert_eq!(framed(link_type, b"ip"), raw(b"ip", 0));
    }
}

#[test]
fn cooked_v1_keeps_a_vlan_tag() {
    let mut head = [0; 16];
    head[14..].copy_from_slice(&[8, 0]);
    assert_eq!(framed(113, &with(&head, b"ip")), raw(b"ip", 16));
    head[14..].copy_from_slice(&[0x81, 0]);
    let tagged = with(&head, &[0, 5, 8, 0, 0x45]);
    assert_eq!(framed(113, &tagged), ethernet(&tagged[2..], 2));
    assert_eq!(ip_at(&tagged[2..]), Some(18));
    assert_eq!(framed(113, &head[..15]), Framed::Short);
}

#[test]
fn cooked_v2_keeps_a_vlan_tag() {
    let mut head = [0; 20];
    head[..2].copy_from_slice(&[0x86, 0xdd]);
    assert_eq!(framed(276, &with(&head, b"ip")), raw(b"ip", 20));
    head[..2].copy_from_slice(&[0x81, 0]);
    let expected = with(&[0; 12], &[0x81, 0, 0, 5, 8, 0, 0x45]);
    assert_eq!(
        framed(276, &with(&head, &[0, 5, 8, 0, 0x45])),
        ethernet(&expected, 6)
    );
    assert_eq!(framed(276, &head[..19]), Framed::Short);
}

#[test]
fn captures_on_all_interfaces_tell_where_a_packet_was_seen() {
    assert_eq!(seen_at(113, &[0, 4, 0, 1]), 1);
    assert_eq!(seen_at(113, &[0, 0, 0, 1]), 0);
    assert_eq!(seen_at(276, &[8, 0, 0, 0, 0, 0, 1, 2]), 258);
    assert_eq!(seen_at(1, &[0, 4, 0, 1]), 0);
}

#[test]
fn the_ip_header_behind_tags_labels_and_pppoe() {
    let macs = [2; 12];
    for (middle, at) in [
        (&[8, 0][..], Some(14)),
        (&[0x81, 0, 0, 1, 0x86, 0xdd], Some(18)),
        (&[0x88, 0xa8, 0, 1, 0x91, 0, 0, 2, 8, 0], Some(22)),
        (&[0x88, 0x64, 0x11, 0, 0, 1, 0, 30, 0, 0x21], Some(22)),
        (&[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x21, 64], Some(22)),
        (&[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x20, 64], None),
        (&[8, 6], None),
        (&[8], None),
    ] {
        assert_eq!(ip_at(&with(&macs, middle)), at, "{middle:x?}");
    }
}

#[test]
fn other_link_types_are_named() {
    assert_eq!(framed(127, &[0; 64]), Framed::Unknown);
    assert_eq!(name(127), "127 (IEEE 802.11 with radiotap)");
    assert_eq!(name(4711), "4711");
}
