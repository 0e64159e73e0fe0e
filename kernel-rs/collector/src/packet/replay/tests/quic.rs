//! Rule 15.

use super::{
    build::{A, B, frame, ipv4, udp},
    *,
};

fn packet(forward: bool, payload: &[u8]) -> Vec<u8> {
    let (ends, ports) = if forward {
        ((A, B), (5000, 443))
    } else {
        ((B, A), (443, 5000))
    };
    frame(&ipv4(ends, 17, &udp(ports, payload)))
}

fn long(version: u32, kind: u8) -> Vec<u8> {
    let mut bytes = vec![0xc0 | kind << 4];
    bytes.extend(version.to_be_bytes());
    bytes.extend([0; 40]);
    bytes
}

fn short(spin: bool) -> Vec<u8> {
    let mut bytes = vec![if spin { 0x60 } else { 0x40 }];
    bytes.extend([0; 30]);
    bytes
}

const INITIAL: u8 = 0;
const HANDSHAKE: u8 = 2;
const RETRY: u8 = 3;

#[test]
fn rule_15_first_initial_to_the_first_answer() {
    for kind in [INITIAL, HANDSHAKE] {
        let mut bench = Bench::new();
        bench.see(0, &packet(true, &long(1, INITIAL)));
        bench.see(1, &packet(true, &long(1, INITIAL)));
        bench.see(20, &packet(false, &long(1, kind)));
        bench.see(21, &packet(true, &long(1, INITIAL)));
        bench.see(22, &packet(false, &long(1, HANDSHAKE)));
        assert_eq!(bench.of(metric::QUIC_HANDSHAKE), [20]);
    }
}

#[test]
fn rule_15_retry_and_version_negotiation_end_nothing() {
    let mut bench = Bench::new();
    bench.see(0, &packet(true, &long(0x1a2a_3a4a, INITIAL)));
    bench.see(10, &packet(false, &long(0, 0)));
    bench.see(11, &packet(true, &long(1, INITIAL)));
    bench.see(20, &packet(false, &long(1, RETRY)));
    bench.see(21, &packet(true, &long(1, INITIAL)));
    bench.see(33, &packet(false, &long(1, INITIAL)));
    let brief = bench.brief();
    let found: Vec<_> = brief
        .iter()
        .filter(|it| it.0 == metric::QUIC_HANDSHAKE)
        .collect();
    assert_eq!(found, [&(metric::QUIC_HANDSHAKE, 33, 0, 2, String::new())]);
}

#[test]
fn rule_15_version_2_numbers_its_packets_otherwise() {
    let mut bench = Bench::new();
    bench.see(0, &packet(true, &long(0x6b33_43cf, 1)));
    bench.see(5, &packet(false, &long(0x6b33_43cf, 0)));
    bench.see(9, &packet(false, &long(0x6b33_43cf, 3)));
    assert_eq!(bench.of(metric::QUIC_HANDSHAKE), [9]);
}

/// The client turns its bit when it sees the server's, the server repeats the client's: one turn a round trip of 30 ms.
#[test]
fn rule_15_the_spin_bit_turns_once_a_round_trip() {
    let mut bench = Bench::new();
    let mut spin = false;
    for round in 0..5 {
        let at = round * 30;
        bench.see(at, &packet(true, &short(spin)));
        bench.see(at + 3, &packet(true, &short(spin)));
        bench.see(at + 20, &packet(false, &short(spin)));
        spin = !spin;
    }
    // The first packets are not of a flow yet, and each side starts from a turn that answers one of the other.
    assert_eq!(bench.of(metric::QUIC_SPIN_RTT), [30; 4]);
}

#[test]
fn rule_15_one_side_that_does_not_spin_gives_nothing() {
    let mut bench = Bench::new();
    for round in 0..10 {
        bench.see(round * 30, &packet(true, &short(round % 2 == 0)));
        bench.see(round * 30 + 10, &packet(false, &short(false)));
    }
    assert_eq!(bench.of(metric::QUIC_SPIN_RTT), Vec::<u64>::new());
}

#[test]
fn rule_15_a_reordered_packet_is_no_turn() {
    let mut bench = Bench::new();
    let mut spin = false;
    for round in 0..4 {
        let at = round * 30;
        bench.see(at, &packet(true, &short(spin)));
        bench.see(at + 1, &packet(true, &short(!spin))); // sent before the turn
        bench.see(at + 2, &packet(true, &short(spin)));
        bench.see(at + 20, &packet(false, &short(spin)));
        spin = !spin;
    }
    assert_eq!(bench.of(metric::QUIC_SPIN_RTT), [30; 3]);
    assert!(bench.refused(refusal::REORDERED) > 0);
}
