//! First byte, UDP replies and QUIC (ACCURACY.md 10, 12, 15).

use crate::wire::{Isn, Seen, Wire, blank, segment};
use latscope_events::{
    metric::{QUIC_HANDSHAKE, QUIC_SPIN_RTT, TCP_FIRST_BYTE, UDP_REPLY},
    refusal,
};
use latscope_matching::{
    exchange,
    quic::{self, AGAIN, HANDSHAKE, INITIAL, SHORT, SHORT_SPUN},
    segment::ACK,
};

fn of_metric(seen: &Seen, metric: u8) -> Vec<(u64, u8)> {
    let of_it = seen.found.iter().filter(|it| it.metric == metric);
    of_it.map(|it| (it.latency, it.side)).collect()
}

#[test]
fn rule_10_from_the_first_segment_of_the_request_to_the_first_of_the_reply() {
    let mut wire = Wire::open(Isn(99, 499), false);
    wire.see(2000, 0, segment(100, 500, ACK, 50), (0, 0));
    wire.see(2010, 0, segment(150, 500, ACK, 50), (0, 0));
    wire.see(2040, 1, segment(500, 200, ACK, 0), (0, 0));
    wire.see(2100, 1, segment(500, 200, ACK, 900), (0, 0));
    wire.see(2110, 1, segment(1400, 200, ACK, 900), (0, 0));
    wire.see(3000, 0, segment(200, 2300, ACK, 10), (0, 0));
    wire.see(3033, 1, segment(2300, 210, ACK, 1), (0, 0));
    assert_eq!(of_metric(&wire.seen, TCP_FIRST_BYTE), [(100, 0), (33, 0)]);
}

#[test]
fn rule_10_what_was_on_its_way_is_no_reply_and_repeats_are_no_request() {
    let mut wire = Wire::open(Isn(99, 499), false);
    // A greeting that the server sends by itself.
    wire.see(1500, 1, segment(500, 100, ACK, 10), (0, 0));
    wire.see(2000, 0, segment(100, 500, ACK, 50), (0, 0));
    wire.see(2001, 1, segment(510, 100, ACK, 10), (0, 0));
    wire.see(2500, 0, segment(100, 510, ACK, 50), (0, 0));
    wire.see(2600, 1, segment(520, 150, ACK, 10), (0, 0));
    assert_eq!(of_metric(&wire.seen, TCP_FIRST_BYTE), [(600, 0)]);
}

#[test]
fn rule_12_first_of_a_burst_to_first_back() {
    let mut flow = blank();
    let mut seen = Seen::default();
    for (at, side) in [
        (1000, 0),
        (1001, 0),
        (1020, 1),
        (1021, 1),
        (2000, 0),
        (2005, 1),
    ] {
        exchange::datagram(&mut flow, side, exchange::IDLE_NS, &mut { at }, &mut seen);
    }
    assert_eq!(of_metric(&seen, UDP_REPLY), [(20, 0), (5, 0)]);
}

#[test]
fn rule_12_after_silence_whoever_speaks_asks() {
    let mut flow = blank();
    let mut seen = Seen::default();
    let later = 1000 + exchange::IDLE_NS;
    for (at, side) in [(1000, 0), (later + 1, 1), (later + 31, 0)] {
        exchange::datagram(&mut flow, side, exchange::IDLE_NS, &mut { at }, &mut seen);
    }
    assert_eq!(of_metric(&seen, UDP_REPLY), [(30, 1)]);
    assert_eq!(seen.refused, [refusal::UNMATCHED_START]);
}

#[test]
fn rule_12_one_way_traffic_yields_nothing() {
    let mut flow = blank();
    let mut seen = Seen::default();
    for at in 1000..2000 {
        exchange::datagram(&mut flow, 0, exchange::IDLE_NS, &mut { at }, &mut seen);
    }
    assert!(seen.found.is_empty() && seen.refused.is_empty());
}

fn quic(packets: &[(u64, u8, u8)]) -> Seen {
    let mut flow = blank();
    flow.syn_ack_time = 1000;
    let mut seen = Seen::default();
    for (at, side, kind) in packets {
        quic::packet(&mut flow, *side, *kind, &mut { *at }, &mut seen);
    }
    seen
}

#[test]
fn rule_15_the_handshake_ends_at_the_servers_first_initial_or_handshake() {
    let seen = quic(&[(1000, 0, INITIAL), (1040, 1, INITIAL), (1041, 1, HANDSHAKE)]);
    assert_eq!(of_metric(&seen, QUIC_HANDSHAKE), [(40, 0)]);
    let seen = quic(&[(1000, 0, INITIAL), (1050, 1, HANDSHAKE)]);
    assert_eq!(of_metric(&seen, QUIC_HANDSHAKE), [(50, 0)]);
}

#[test]
fn rule_15_a_retry_is_not_the_end() {
    let seen = quic(&[
        (1000, 0, INITIAL),
        (1030, 1, AGAIN),
        (1031, 0, INITIAL),
        (1062, 1, INITIAL),
    ]);
    assert_eq!(of_metric(&seen, QUIC_HANDSHAKE), [(62, 0)]);
    assert_eq!(seen.found[0].retries, 1);
}

#[test]
fn rule_15_a_turn_to_the_next_is_a_round_trip_for_each_side() {
    // The client turns the bit, the server follows.
    let mut packets = Vec::new();
    for turn in 0..5_u64 {
        let kind = if turn % 2 == 0 { SHORT } else { SHORT_SPUN };
        packets.push((2000 + turn * 50, 0, kind));
        packets.push((2010 + turn * 50, 0, kind));
        packets.push((2020 + turn * 50, 1, kind));
    }
    let turns = of_metric(&quic(&packets), QUIC_SPIN_RTT);
    assert!(turns.len() == 5, "{turns:?}");
    assert!(turns.iter().all(|(latency, _)| *latency == 50), "{turns:?}");
}

#[test]
fn rule_15_one_side_that_does_not_spin_yields_nothing() {
    let packets: Vec<(u64, u8, u8)> = (0..20)
        .flat_map(|n| {
            let kind = if n % 2 == 0 { SHORT } else { SHORT_SPUN };
            [(2000 + n * 50, 0, kind), (2020 + n * 50, 1, SHORT)]
        })
        .collect();
    assert_eq!(of_metric(&quic(&packets), QUIC_SPIN_RTT), []);
}
