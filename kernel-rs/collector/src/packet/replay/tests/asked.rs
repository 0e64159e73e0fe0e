//! What sessions ask of single metrics: each gets what it asked for, whatever others ask.

use std::time::Duration;

use super::{
    build::{A, ACK, B, SYN, dns, frame, ipv4, tcp, udp},
    *,
};
use crate::{
    packet::{lane::Lane, object::Clock, plan::Look},
    proto::{DnsProbe, Probe, QuicProbe, SessionSpec, TcpProbe, UdpProbe, probe::Kind},
    spec,
};

fn probe(kind: Kind, timeout_ms: Option<u64>) -> Probe {
    Probe {
        kind: Some(kind),
        timeout: timeout_ms.map(|it| Duration::from_millis(it).try_into().unwrap()),
    }
}

fn dns_at(ports: &[u32], udp_only: bool) -> Probe {
    let ports = ports.into();
    probe(Kind::Dns(DnsProbe { ports, udp_only }), None)
}

/// A session of each, by its bit.
fn sessions(probes: Vec<Probe>) -> Bench {
    let specs: Vec<_> = probes
        .into_iter()
        .map(|probe| {
            let spec = SessionSpec {
                probes: vec![probe],
                ..SessionSpec::default()
            };
            spec::check(&spec).unwrap().compiled
        })
        .collect();
    Bench {
        replay: Replay::for_sessions(&specs, false).expect("needs root and BPF"),
    }
}

impl Bench {
    /// Metric, latency in ms, and the sessions that get it.
    fn shares(&mut self) -> Vec<(u8, u64, u64)> {
        self.records()
            .iter()
            .map(|it| (it.sample.metric, it.sample.latency_ns / MS, it.sample.mask))
            .collect()
    }

    /// A datagram of port 5000 at A to `port` at B, or back.
    fn datagram(&mut self, at_ms: u64, forward: bool, port: u16, payload: &[u8]) {
        let (ends, ports) = if forward {
            ((A, B), (5000, port))
        } else {
            ((B, A), (port, 5000))
        };
        self.see(at_ms, &frame(&ipv4(ends, 17, &udp(ports, payload))));
    }

    fn ask_dns(&mut self, at_ms: u64, port: u16) {
        self.datagram(at_ms, true, port, &dns(7, false, 0, &[b"a"], 1));
        self.datagram(at_ms + 5, false, port, &dns(7, true, 0, &[b"a"], 1));
    }
}

#[test]
fn dns_is_looked_for_at_the_ports_of_each_session() {
    let mut bench = sessions(vec![
        dns_at(&[], false),
        dns_at(&[5300], false),
        dns_at(&[5300, 53], false),
    ]);
    for (n, port) in [53, 5353, 5300, 5301].into_iter().enumerate() {
        bench.ask_dns(n as u64 * 100, port);
    }
    let found = |mask| (metric::DNS_REPLY, 5, mask);
    assert_eq!(bench.shares(), [found(0b101), found(0b001), found(0b110)]);
}

/// A handshake with `port`, then a DNS query and its answer 9 ms later, or something else.
fn stream(bench: &mut Bench, at: u64, port: u16, query: &[u8], reply: &[u8]) {
    let (to, back) = ((5000, port), (port, 5000));
    let length = |message: &[u8]| [&(message.len() as u16).to_be_bytes(), message].concat();
    let (query, reply) = (length(query), length(reply));
    let end = 101 + query.len() as u32;
    for (after, forward, segment) in [
        (0, true, tcp(to, 100, 0, SYN, &[])),
        (1, false, tcp(back, 500, 101, SYN | ACK, &[])),
        (2, true, tcp(to, 101, 501, ACK, &[])),
        (10, true, tcp(to, 101, 501, ACK, &query)),
        (19, false, tcp(back, 501, end, ACK, &reply)),
    ] {
        let ends = if forward { (A, B) } else { (B, A) };
        bench.see(at + after, &frame(&ipv4(ends, 6, &segment)));
    }
}

#[test]
fn udp_only_leaves_streams_out() {
    let mut bench = sessions(vec![dns_at(&[], true), dns_at(&[], false)]);
    bench.ask_dns(0, 53);
    let (query, reply) = (dns(7, false, 0, &[b"a"], 1), dns(7, true, 0, &[b"a"], 1));
    stream(&mut bench, 100, 53, &query, &reply);
    assert_eq!(
        bench.shares(),
        [(metric::DNS_REPLY, 5, 0b11), (metric::DNS_REPLY, 9, 0b10)]
    );
}

#[test]
fn whoever_looks_for_dns_where_there_is_none_changes_nothing_for_others() {
    let tcp = probe(Kind::Tcp(TcpProbe::default()), None);
    let mut bench = sessions(vec![tcp, dns_at(&[8080], false)]);
    stream(&mut bench, 0, 8080, b"GET", b"200");
    let records = bench.records();
    let found: Vec<_> = records
        .iter()
        .map(|it| (it.sample.metric, it.sample.mask, it.sample.flags))
        .collect();
    let plain = |metric| (metric, 1, 0);
    let local = latscope_events::sample::flags::FROM_SERVER;
    assert_eq!(
        found,
        [
            plain(metric::TCP_HANDSHAKE_REMOTE),
            (metric::TCP_HANDSHAKE_LOCAL, 1, local),
            plain(metric::TCP_FIRST_BYTE),
            plain(metric::TCP_RTT),
        ]
    );
}

#[test]
fn quic_is_looked_for_at_the_ports_of_each_session() {
    let quic = |ports: &[u32], spin_bit| {
        let ports = ports.into();
        probe(Kind::Quic(QuicProbe { ports, spin_bit }), None)
    };
    let udp = probe(Kind::Udp(UdpProbe::default()), None);
    let mut bench = sessions(vec![quic(&[], false), quic(&[4433], true), udp]);
    let initial = [&[0xc0, 0, 0, 0, 1][..], &[0; 40]].concat();
    for (at, port) in [(0, 443), (1000, 4433)] {
        bench.datagram(at, true, port, &initial);
        bench.datagram(at + 20, false, port, &initial);
    }
    let short = |spun| [&[0x40 | u8::from(spun) << 5][..], &[0; 20]].concat();
    for port in [443, 4433] {
        for round in 0..4 {
            let spun = round % 2 == 0;
            bench.datagram(2000 + round * 30, true, port, &short(spun));
            bench.datagram(2010 + round * 30, false, port, &short(spun));
        }
    }
    let of = |found: &[(u8, u64, u64)], metric| -> Vec<(u64, u64)> {
        let mine = found.iter().filter(|it| it.0 == metric);
        mine.map(|it| (it.1, it.2)).collect()
    };
    let found = bench.shares();
    assert_eq!(
        of(&found, metric::QUIC_HANDSHAKE),
        [(20, 0b001), (20, 0b010)]
    );
    let spins = of(&found, metric::QUIC_SPIN_RTT);
    assert!(
        !spins.is_empty() && spins.iter().all(|it| *it == (30, 0b010)),
        "{spins:?}"
    );
    let replies = of(&found, metric::UDP_REPLY);
    assert!(replies.iter().all(|it| it.1 == 0b100), "{replies:?}");
    assert_eq!(replies[..2], [(20, 0b100), (20, 0b100)]);
}

#[test]
fn each_session_waits_as_long_as_it_says() {
    let dns = |timeout| probe(Kind::Dns(DnsProbe::default()), timeout);
    let mut bench = sessions(vec![dns(None), dns(Some(1000)), dns(Some(60_000))]);
    let mut wait = |id: u16, ms: u64| {
        bench.datagram(
            u64::from(id) * 100_000,
            true,
            53,
            &super::build::dns(id, false, 0, &[b"a"], 1),
        );
        let reply = super::build::dns(id, true, 0, &[b"a"], 1);
        bench.datagram(u64::from(id) * 100_000 + ms, false, 53, &reply);
    };
    for (id, ms) in [(1, 1000), (2, 1001), (3, 10_001), (4, 60_001)] {
        wait(id, ms);
    }
    let found = |ms, mask| (metric::DNS_REPLY, ms, mask);
    assert_eq!(
        bench.shares(),
        [found(1000, 0b111), found(1001, 0b101), found(10_001, 0b100)]
    );
    // One class that is late each time, however many sessions are in it.
    assert_eq!(bench.refused(refusal::UNMATCHED_START), 3);
}

#[test]
fn a_round_trip_may_be_too_long_for_one_and_not_for_another() {
    let tcp = |timeout| probe(Kind::Tcp(TcpProbe::default()), timeout);
    let mut bench = sessions(vec![tcp(None), tcp(Some(8))]);
    stream(&mut bench, 0, 80, b"GET", b"200");
    assert_eq!(
        bench.shares(),
        [
            (metric::TCP_HANDSHAKE_REMOTE, 1, 0b11),
            (metric::TCP_HANDSHAKE_LOCAL, 1, 0b11),
            (metric::TCP_FIRST_BYTE, 9, 0b01),
            (metric::TCP_RTT, 9, 0b01),
        ]
    );
    assert_eq!(bench.refused(refusal::UNMATCHED_START), 2);
}

#[test]
fn silence_of_its_own_length_ends_an_exchange() {
    let everything = || Lane::unfiltered(u32::MAX);
    // When the answer comes too late for it, it asks itself; after another silence nothing is left to answer.
    let cases: [(u64, &[u64]); 3] = [(400, &[300]), (200, &[100]), (50, &[])];
    for (idle_ms, expected) in cases {
        let look = Look {
            idle_ns: idle_ms * MS,
            ..Look::default()
        };
        let replay = Replay::with_lanes(&[everything()], look, Clock::Capture).unwrap();
        let mut bench = Bench { replay };
        bench.datagram(0, true, 7, b"x");
        bench.datagram(300, false, 7, b"x");
        bench.datagram(400, true, 7, b"x");
        assert_eq!(bench.of(metric::UDP_REPLY), expected, "{idle_ms} ms");
    }
}
