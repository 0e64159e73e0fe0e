//! Rules 20, 21 and 23: which packets are of one flow, and how long a start waits.

use latscope_events::class::kind;

use super::{
    build::{A, ACK, B, SYN, ends, ethernet, frame, ipv4, kind, tcp, udp},
    *,
};

/// The same tuple, over TCP and over UDP.
#[test]
fn rule_21_protocols_are_told_apart() {
    let mut bench = Bench::new();
    let (to, back) = ((7000, 7001), (7001, 7000));
    bench.see(0, &frame(&ipv4((A, B), 6, &tcp(to, 100, 0, SYN, &[]))));
    bench.see(1, &frame(&ipv4((A, B), 17, &udp(to, b"x"))));
    bench.see(
        10,
        &frame(&ipv4((B, A), 6, &tcp(back, 500, 101, SYN | ACK, &[]))),
    );
    bench.see(31, &frame(&ipv4((B, A), 17, &udp(back, b"x"))));
    assert_eq!(
        bench.brief(),
        [
            plain(metric::TCP_HANDSHAKE_REMOTE, 10),
            plain(metric::UDP_REPLY, 30)
        ]
    );
}

/// More connections than the table holds, each with a request in flight: what is pushed out is counted, the rest is answered.
#[test]
fn rule_21_what_flows_waited_for_when_pushed_out_is_counted() {
    const CONNECTIONS: u32 = 14_000;
    let mut bench = Bench::new();
    let show = |bench: &mut Bench, at, number: u32, forward, (seq, ack, flags), payload: &[u8]| {
        let [_, _, c, d] = number.to_be_bytes();
        let (client, server) = ([172, 16, c, d], [192, 0, 2, 1]);
        let (ends, ports) = if forward {
            ((client, server), (40_000, 80))
        } else {
            ((server, client), (80, 40_000))
        };
        let segment = tcp(ports, seq, ack, flags, payload);
        bench.see(at, &frame(&ipv4(ends, 6, &segment)));
    };
    let pushed_out = |bench: &Bench| {
        let outside = bench.replay.object.group(0, true).unwrap();
        [kind::SYN_ACK, kind::SEGMENT, kind::REQUEST].map(|kind| outside.unanswered[kind as usize])
    };
    for number in 0..CONNECTIONS {
        show(&mut bench, 0, number, true, (99, 0, SYN), b"");
        show(&mut bench, 1, number, false, (499, 100, SYN | ACK), b"");
        show(&mut bench, 2, number, true, (100, 500, ACK), b"");
        show(&mut bench, 3, number, true, (100, 500, ACK), b"x");
        bench.records();
    }
    let [syn_acks, segments, requests] = pushed_out(&bench);
    assert_eq!((syn_acks, segments), (0, requests));
    assert!(
        (1712..CONNECTIONS.into()).contains(&segments),
        "{segments} of {CONNECTIONS}"
    );
    let mut found = 0;
    for number in 0..CONNECTIONS {
        show(&mut bench, 8, number, false, (500, 101, ACK), b"y");
        found += bench.of(metric::TCP_RTT).len() as u64;
    }
    assert_eq!(found, u64::from(CONNECTIONS) - segments);
    // A reply on a connection that was pushed out is a start of no known flow; those that are left wait for their own end.
    assert_eq!(pushed_out(&bench), [0, segments, requests]);
}

/// Tuples that share all but one of their parts.
#[test]
fn rule_21_the_whole_tuple_is_the_key() {
    let mut bench = Bench::new();
    let other = [10, 0, 0, 3];
    let tuples = [
        ((A, B), (40000, 80)),
        ((A, B), (40001, 80)),
        ((A, B), (40000, 81)),
        ((A, other), (40000, 80)),
        ((other, B), (40000, 80)),
        // The same addresses and ports the other way round.
        ((B, A), (40000, 80)),
    ];
    for (at, (ends, ports)) in (0..).zip(tuples) {
        bench.see(at, &frame(&ipv4(ends, 6, &tcp(ports, 100, 0, SYN, &[]))));
    }
    for (at, ((from, to), (sport, dport))) in (0..).zip(tuples) {
        let answer = tcp((dport, sport), 500, 101, SYN | ACK, &[]);
        bench.see(20 + at * 11, &frame(&ipv4((to, from), 6, &answer)));
    }
    let expected = [20, 30, 40, 50, 60, 70];
    assert_eq!(bench.of(metric::TCP_HANDSHAKE_REMOTE), expected);
}

#[test]
fn rule_21_an_option_ignores_vlans() {
    let mut bench = Bench {
        replay: Replay::open(false, true).expect("needs root and BPF"),
    };
    build::conversation(|at, segment, forward| {
        let packet = ipv4(ends(forward), 6, &segment);
        if forward {
            let mut tagged = vec![0, 7];
            tagged.extend(kind(&packet).to_be_bytes());
            tagged.extend(&packet);
            bench.see(at, &ethernet(0x8100, &tagged));
        } else {
            bench.see(at, &frame(&packet));
        }
    });
    assert_eq!(bench.of(metric::TCP_RTT), [30]);
}

/// Every packet passes three devices: a veth, the bridge, the physical one.
#[test]
fn rule_20_a_packet_on_several_devices_is_one() {
    let mut bench = Bench::new();
    build::conversation(|at, segment, forward| {
        let bytes = frame(&ipv4(ends(forward), 6, &segment));
        let interfaces = if forward { [1, 2, 3] } else { [3, 2, 1] };
        for (hop, interface) in (0..).zip(interfaces) {
            let fed = bench.replay.feed(&Frame {
                bytes: &bytes,
                wire_length: bytes.len() as u32,
                time_ns: (at + hop) * MS + EPOCH_NS,
                raw: false,
                interface,
                outbound: false,
            });
            assert!(fed.unwrap());
        }
    });
    let found: Vec<_> = bench.brief().into_iter().map(|it| (it.0, it.1)).collect();
    // Towards the server at the first device, back at the last: as the first of each saw it.
    assert_eq!(
        found,
        [
            (metric::TCP_HANDSHAKE_REMOTE, 10),
            (metric::TCP_HANDSHAKE_LOCAL, 2),
            (metric::TCP_FIRST_BYTE, 30),
            (metric::TCP_RTT, 30)
        ]
    );
    assert_eq!(bench.replay.refusals().unwrap(), [0; refusal::REASONS]);
}

/// Makes a question, or its answer.
type Show<'a> = &'a dyn Fn(bool) -> Vec<u8>;

/// An answer at the last moment, and one just after it, for each table of starts.
#[test]
fn rule_23_each_start_has_its_expiry() {
    let datagram = |forward: bool| {
        let ports = if forward { (5000, 7) } else { (7, 5000) };
        frame(&ipv4(ends(forward), 17, &udp(ports, b"x")))
    };
    let dns = |forward: bool| {
        let ports = if forward { (5000, 53) } else { (53, 5000) };
        let message = build::dns(7, !forward, 0, &[b"a"], 1);
        frame(&ipv4(ends(forward), 17, &udp(ports, &message)))
    };
    let syn = |forward: bool| {
        let segment = if forward {
            tcp((40000, 80), 100, 0, SYN, &[])
        } else {
            tcp((80, 40000), 500, 101, SYN | ACK, &[])
        };
        frame(&ipv4(ends(forward), 6, &segment))
    };
    let table: [(u8, u64, Show<'_>); 3] = [
        (metric::TCP_HANDSHAKE_REMOTE, 120_000, &syn),
        (metric::UDP_REPLY, 10_000, &datagram),
        (metric::DNS_REPLY, 10_000, &dns),
    ];
    for (metric, expires, show) in table {
        for (wait, found) in [(expires, vec![expires]), (expires + 1, vec![])] {
            let mut bench = Bench::new();
            bench.see(0, &show(true));
            bench.see(wait, &show(false));
            assert_eq!(bench.of(metric), found, "metric {metric} after {wait} ms");
        }
    }
}
