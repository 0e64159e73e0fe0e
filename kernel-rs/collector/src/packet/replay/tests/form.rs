//! Rules 16 to 19: packets as they are.

use super::{
    build::{
        A, ACK, B, SYN, conversation, ends, ethernet, frame, ipv4, ipv4_with, ipv6, kind, tcp, udp,
    },
    *,
};

const EXPECTED: [(u8, u64); 4] = [
    (metric::TCP_HANDSHAKE_REMOTE, 10),
    (metric::TCP_HANDSHAKE_LOCAL, 2),
    (metric::TCP_FIRST_BYTE, 30),
    (metric::TCP_RTT, 30),
];

/// Shows the standard conversation in a form; returns metrics and latencies.
fn seen(mut bench: Bench, raw: bool, form: impl Fn(Vec<u8>, bool) -> Vec<u8>) -> Vec<(u8, u64)> {
    conversation(|at, segment, forward| assert!(bench.feed(at, &form(segment, forward), raw)));
    bench.brief().into_iter().map(|it| (it.0, it.1)).collect()
}

#[test]
fn rule_16_ipv4_options() {
    let found = seen(Bench::new(), false, |segment, forward| {
        frame(&ipv4_with(
            ends(forward),
            6,
            &[1, 1, 1, 1, 7, 7, 4, 0, 0, 0, 0, 0],
            0,
            &segment,
        ))
    });
    assert_eq!(found, EXPECTED);
}

#[test]
fn rule_16_ipv6_extension_headers() {
    let found = seen(Bench::new(), false, |segment, forward| {
        // Hop-by-hop, routing, destination options, an atomic fragment, authentication.
        let mut payload = vec![43, 0, 1, 4, 0, 0, 0, 0];
        payload.extend([60, 2, 4, 0, 0, 0, 0, 0]);
        payload.extend([0; 16]);
        payload.extend([44, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        payload.extend([51, 0, 0, 0, 1, 2, 3, 4]);
        payload.extend([6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        payload.extend([0; 12]);
        payload.extend(&segment);
        frame(&ipv6(ends(forward), 0, &payload))
    });
    assert_eq!(found, EXPECTED);
}

#[test]
fn rule_16_vlan_tags() {
    for tags in [&[0x8100][..], &[0x88a8, 0x8100], &[0x9100, 0x8100, 0x8100]] {
        let found = seen(Bench::new(), false, |segment, forward| {
            let mut packet = ipv4(ends(forward), 6, &segment);
            let mut inside = kind(&packet);
            for (n, tag) in tags.iter().enumerate().rev() {
                let mut tagged = (100 + n as u16).to_be_bytes().to_vec();
                tagged.extend(inside.to_be_bytes());
                tagged.extend(&packet);
                (packet, inside) = (tagged, *tag);
            }
            ethernet(inside, &packet)
        });
        assert_eq!(found, EXPECTED, "{tags:x?}");
    }
}

#[test]
fn rule_21_another_vlan_is_another_flow() {
    let found = seen(Bench::new(), false, |segment, forward| {
        let packet = ipv4(ends(forward), 6, &segment);
        let mut tagged = if forward { vec![0, 7] } else { vec![0, 8] };
        tagged.extend(kind(&packet).to_be_bytes());
        tagged.extend(&packet);
        ethernet(0x8100, &tagged)
    });
    assert_eq!(found, []);
}

#[test]
fn rule_16_pppoe_and_mpls() {
    let pppoe = seen(Bench::new(), false, |segment, forward| {
        let packet = ipv4(ends(forward), 6, &segment);
        let mut session = vec![0x11, 0, 0, 9];
        session.extend((packet.len() as u16 + 2).to_be_bytes());
        session.extend([0, 0x21]);
        session.extend(&packet);
        ethernet(0x8864, &session)
    });
    assert_eq!(pppoe, EXPECTED);
    let mpls = seen(Bench::new(), false, |segment, forward| {
        // Two labels, other ones on the way back: they are not part of the key.
        let label = if forward { 16 } else { 32 };
        let mut labels = vec![0, label, 0, 64, 0, label, 0x01, 64];
        labels.extend(ipv6(ends(forward), 6, &segment));
        ethernet(0x8847, &labels)
    });
    assert_eq!(mpls, EXPECTED);
}

#[test]
fn rule_16_no_ethernet_header() {
    for form in [ipv4, ipv6] {
        let found = seen(Bench::new(), true, |segment, forward| {
            form(ends(forward), 6, &segment)
        });
        assert_eq!(found, EXPECTED);
    }
}

#[test]
fn rule_17_later_fragments_are_counted_and_never_parsed() {
    let mut bench = Bench::new();
    let segment = tcp((40000, 80), 100, 0, SYN, &[]);
    bench.see(0, &frame(&ipv4_with((A, B), 6, &[], 0x0010, &segment)));
    bench.see(1, &frame(&ipv4_with((A, B), 6, &[], 0x2000, &segment)));
    bench.see(
        9,
        &frame(&ipv4((B, A), 6, &tcp((80, 40000), 5, 101, SYN | ACK, &[]))),
    );
    assert_eq!(bench.brief(), []);
    assert_eq!(bench.refused(refusal::FRAGMENT), 2);
}

#[test]
fn rule_17_the_first_fragment_of_a_datagram_has_its_ports() {
    let mut bench = Bench::new();
    bench.see(
        0,
        &frame(&ipv4_with(
            (A, B),
            17,
            &[],
            0x2000,
            &udp((5000, 7), &[0; 64]),
        )),
    );
    bench.see(0, &frame(&ipv4_with((A, B), 17, &[], 0x0009, &[0; 64])));
    bench.see(8, &frame(&ipv4((B, A), 17, &udp((7, 5000), b"x"))));
    assert_eq!(bench.brief(), [plain(metric::UDP_REPLY, 8)]);
}

#[test]
fn rule_18_what_is_cut_short_is_counted() {
    let whole = frame(&ipv4((A, B), 6, &tcp((40000, 80), 100, 0, SYN, &[])));
    let mut bench = Bench::new();
    let taken = (15..whole.len())
        .filter(|length| bench.feed(0, &whole[..*length], false))
        .count();
    assert!(taken >= 19, "every frame with a whole IP header");
    let mut offset = whole.clone();
    offset[14 + 20 + 12] = 0x40; // data offset of 4 words
    bench.see(1, &offset);
    offset[14 + 20 + 12] = 0xf0; // beyond the packet
    bench.see(2, &offset);
    let mut datagram = frame(&ipv4((A, B), 17, &udp((5000, 7), &[])));
    datagram[14 + 20 + 5] = 7; // a length of 7
    bench.see(3, &datagram);
    assert_eq!(bench.refused(refusal::UNPARSABLE), taken as u64 + 3);
    bench.see(
        10,
        &frame(&ipv4((B, A), 6, &tcp((80, 40000), 5, 101, SYN | ACK, &[]))),
    );
    assert_eq!(bench.brief(), []);
}

#[test]
fn rule_19_length_0_means_the_frame() {
    let found = seen(Bench::new(), false, |segment, forward| {
        let mut packet = ipv4(ends(forward), 6, &segment);
        packet[2..4].fill(0);
        frame(&packet)
    });
    assert_eq!(found, EXPECTED);
}

/// Ways to carry a packet in another.
fn tunnels(packet: &[u8], forward: bool) -> Vec<(&'static str, Vec<u8>)> {
    let outer = |protocol, payload: &[u8]| {
        let (from, to) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        let ends = if forward { (from, to) } else { (to, from) };
        frame(&ipv4(ends, protocol, payload))
    };
    let with = |header: &[u8], rest: &[u8]| [header, rest].concat();
    let inner = frame(packet);
    let four = packet[0] >> 4 == 4;
    let kind = kind(packet).to_be_bytes();
    let vxlan = udp((3333, 4789), &with(&[8, 0, 0, 0, 0, 0, 5, 0], &inner));
    let geneve = udp(
        (3333, 6081),
        &with(&[1, 0, 0x65, 0x58, 0, 0, 5, 0, 0, 0, 0, 0], &inner),
    );
    let gre = with(
        &[
            0xb0, 0, kind[0], kind[1], 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2,
        ],
        packet,
    );
    vec![
        (
            if four { "ipip" } else { "6in4" },
            outer(if four { 4 } else { 41 }, packet),
        ),
        ("gre", outer(47, &with(&[0, 0, kind[0], kind[1]], packet))),
        ("gre with checksum, key, sequence", outer(47, &gre)),
        ("vxlan", outer(17, &vxlan)),
        ("geneve", outer(17, &geneve)),
    ]
}

#[test]
fn rule_19_tunnels_inner_or_outer_never_both() {
    for form in [ipv4, ipv6] {
        for which in 0..5 {
            let carry = |segment: Vec<u8>, forward| {
                tunnels(&form(ends(forward), 6, &segment), forward).swap_remove(which)
            };
            let name = carry(tcp((1, 2), 0, 0, SYN, &[]), true).0;
            let inner = seen(Bench::looking(true), false, |segment, forward| {
                carry(segment, forward).1
            });
            assert_eq!(inner, EXPECTED, "{name}, inner");
            let outer = seen(Bench::new(), false, |segment, forward| {
                carry(segment, forward).1
            });
            assert!(
                outer.iter().all(|it| it.0 == metric::UDP_REPLY),
                "{name}, outer: {outer:?}"
            );
        }
    }
}
