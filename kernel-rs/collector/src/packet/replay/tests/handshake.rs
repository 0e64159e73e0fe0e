//! Rules 1 to 4.

use latscope_events::metric::quality;

use super::{wire::*, *};

#[test]
fn rule_1_both_halves_of_a_handshake() {
    for ipv6 in [false, true] {
        let mut wire = Wire {
            ipv6,
            ..Wire::new()
        };
        wire.client(0, syn(u32::MAX));
        wire.server(25, syn_ack(7, 0));
        wire.client(27, ack(0, 8));
        assert_eq!(wire.found(), [half(REMOTE, 25), half(LOCAL, 2)]);
    }
}

#[test]
fn rule_1_an_answer_to_something_else_is_none() {
    let mut wire = Wire::new();
    wire.client(0, syn(100));
    wire.server(10, syn_ack(500, 102));
    wire.server(20, syn_ack(500, 101));
    wire.client(21, ack(101, 500));
    wire.client(22, ack(101, 502));
    assert_eq!(wire.found(), [half(REMOTE, 20)]);
    wire.client(23, ack(101, 501));
    assert_eq!(wire.found(), [half(LOCAL, 3)]);
}

#[test]
fn rule_2_a_retransmitted_syn_counts_from_the_first() {
    let mut wire = Wire::new();
    for at in [0, 1000, 3000] {
        wire.client(at, syn(100));
    }
    wire.server(3010, syn_ack(500, 101));
    assert_eq!(
        wire.found(),
        [(REMOTE, 3010, quality::SYN_RETRANSMITTED, false, 2, 0)]
    );
}

#[test]
fn rule_2_an_echo_tells_which_syn_was_answered() {
    let syn = |tsval| syn(100).stamped(tsval, 0);
    let syn_ack = |tsecr| syn_ack(500, 101).stamped(9, tsecr);
    let mut wire = Wire::new();
    wire.client(0, syn(1000));
    wire.client(1000, syn(2000));
    wire.server(1005, syn_ack(1000));
    assert_eq!(wire.found(), [half(REMOTE, 1005)]);
    let mut wire = Wire::new();
    wire.client(0, syn(1000));
    wire.client(1000, syn(2000));
    wire.server(1010, syn_ack(2000));
    assert_eq!(
        wire.found(),
        [(REMOTE, 1010, quality::SYN_RETRANSMITTED, false, 1, 0)]
    );
}

#[test]
fn rule_2_duplicate_syn_acks_add_nothing() {
    let mut wire = Wire::new();
    wire.client(0, syn(100));
    for at in [10, 1010] {
        wire.server(at, syn_ack(500, 101));
    }
    wire.client(1011, ack(101, 501));
    assert_eq!(wire.found(), [half(REMOTE, 10)]);
    assert_eq!(wire.refused(refusal::RETRANSMITTED), 1);
}

#[test]
fn rule_2_a_new_connection_on_the_tuple_forgets_the_old() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 10));
    wire.client(30, syn(9000));
    wire.server(35, ack(501, 111));
    wire.server(40, syn_ack(7000, 9001));
    wire.client(41, ack(9001, 7001));
    wire.server(50, ack(501, 111));
    assert_eq!(wire.found(), [half(REMOTE, 10), half(LOCAL, 1)]);
}

#[test]
fn rule_3_a_refused_connection() {
    let mut wire = Wire::new();
    wire.client(0, syn(100));
    wire.server(4, rst(999));
    wire.server(5, rst(101));
    wire.client(500, syn(100));
    wire.server(507, rst(101));
    let failure = metric::TCP_CONNECT_FAILURE;
    assert_eq!(
        wire.found(),
        [
            (failure, 5, 0, false, 0, 111),
            (failure, 7, 0, false, 0, 111)
        ]
    );
}

#[test]
fn rule_4_fast_open_and_simultaneous_open() {
    let mut wire = Wire::new();
    wire.client(0, syn(100).with(50));
    wire.server(10, syn_ack(500, 151));
    wire.client(11, ack(151, 501));
    assert_eq!(wire.found(), [half(REMOTE, 10), half(LOCAL, 1)]);
    let mut wire = Wire::new();
    wire.client(0, syn(100));
    wire.server(3, syn(500));
    wire.client(6, syn_ack(100, 501));
    wire.server(6, syn_ack(500, 101));
    wire.client(9, data(101, 501, 10));
    wire.server(12, ack(501, 111));
    assert_eq!(wire.found(), [rtt(3, SEQ, false)]);
}

#[test]
fn rule_2_a_repeated_syn_without_its_data_is_no_new_connection() {
    let mut wire = Wire::new();
    wire.client(0, syn(100).with(50));
    wire.server(10, syn_ack(500, 101));
    wire.client(11, syn(100));
    wire.server(19, syn_ack(500, 101));
    assert_eq!(wire.found(), [half(REMOTE, 10)]);
}

#[test]
fn rule_2_a_server_that_begins_anew_takes_the_first_ones_place() {
    let mut wire = Wire::new();
    wire.client(0, syn(100));
    wire.server(10, syn_ack(500, 101));
    wire.server(20, syn_ack(9000, 101));
    wire.client(23, ack(101, 9001));
    wire.server(30, data(9001, 101, 100));
    wire.client(34, ack(101, 9101));
    assert_eq!(
        wire.found(),
        [half(REMOTE, 10), half(LOCAL, 3), rtt(4, SEQ, true)]
    );
}

#[test]
fn rule_2_servers_that_take_turns_are_ambiguous() {
    let mut wire = Wire::new();
    wire.client(0, syn(100));
    for (at, seq) in [(10, 500), (20, 9000), (30, 500), (40, 9000)] {
        wire.server(at, syn_ack(seq, 101));
    }
    wire.client(43, ack(101, 9001));
    assert_eq!(wire.found(), [half(REMOTE, 10)]);
    assert_eq!(wire.refused(refusal::RETRANSMITTED), 1);
}

#[test]
fn rule_2_after_the_end_the_same_number_opens_another_connection() {
    let mut wire = Wire::new();
    for (at, reset) in [(0, false), (1000, true), (2000, false)] {
        wire.client(at, syn(100));
        wire.server(at + 10, syn_ack(500, 101));
        wire.client(at + 11, ack(101, 501));
        if reset {
            wire.server(at + 20, rst_at(501, 101));
        } else {
            wire.client(at + 20, fin(101, 501));
            wire.server(at + 24, fin(501, 102));
            wire.client(at + 27, ack(102, 502));
        }
    }
    let both = [half(REMOTE, 10), half(LOCAL, 1)];
    let ends = [rtt(4, SEQ, false), rtt(3, SEQ, true)];
    assert_eq!(
        wire.found(),
        [&both[..], &ends, &both, &both, &ends].concat()
    );
}

#[test]
fn rule_3_a_syn_that_nobody_answers_is_counted() {
    let mut wire = Wire::new();
    for port in 1000..1005 {
        wire.ports = (port, 80);
        wire.client(u64::from(port), syn(100));
        wire.client(u64::from(port) + 1000, syn(100));
    }
    assert_eq!(wire.unanswered(), 5);
    wire.server(9000, syn_ack(500, 101));
    assert_eq!(wire.unanswered(), 5, "four SYNs and the SYN-ACK");
    wire.client(9001, ack(101, 501));
    assert_eq!(wire.unanswered(), 4);
    wire.ports = (1000, 80);
    wire.server(9500, rst(101));
    assert_eq!(wire.unanswered(), 3);
    wire.ports = (1001, 80);
    wire.client(9600, syn(777));
    assert_eq!(
        wire.unanswered(),
        4,
        "what was replaced will not be answered either"
    );
    assert_eq!(wire.refused(refusal::UNMATCHED_START), 0);
}

#[test]
fn rule_3_an_answer_after_two_minutes_is_none_and_counted_once() {
    let mut wire = Wire::new();
    wire.client(0, syn(100));
    wire.server(120_001, syn_ack(500, 101));
    wire.client(120_002, ack(101, 501));
    assert_eq!(wire.found(), [half(LOCAL, 1)]);
    assert_eq!(wire.refused(refusal::UNMATCHED_START), 1);
    assert_eq!(wire.unanswered(), 0);
}

#[test]
fn rule_3_a_reset_closes_the_flow_but_for_what_was_sent_before() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.server(21, data(501, 101, 100));
    wire.client(22, rst_at(201, 501));
    wire.client(23, rst_at(201, 501));
    wire.server(26, ack(601, 201));
    wire.client(28, ack(201, 601));
    wire.server(30, data(601, 201, 100));
    wire.client(33, ack(201, 701));
    let reply = (metric::TCP_FIRST_BYTE, 1, 0, false, 0, 0);
    let found = wire.found();
    assert_ne!(
        found.first(),
        Some(&reply),
        "the server had not heard the request"
    );
    assert_eq!(found, [rtt(6, SEQ, false)]);
    // Both reset it: nothing is left.
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.client(21, rst_at(201, 501));
    wire.server(22, rst_at(501, 0));
    wire.server(26, ack(501, 201));
    assert_eq!(wire.found(), []);
}

#[test]
fn rule_4_deferred_accept_repeats_its_syn_ack() {
    let mut wire = Wire::new();
    wire.client(0, syn(100));
    wire.server(10, syn_ack(500, 101));
    wire.client(11, ack(101, 501));
    wire.server(1010, syn_ack(500, 101));
    wire.client(1011, ack(101, 501));
    wire.client(2000, data(101, 501, 50));
    wire.server(2010, ack(501, 151));
    assert_eq!(
        wire.found(),
        [half(REMOTE, 10), half(LOCAL, 1), rtt(10, SEQ, false)]
    );
}

#[test]
fn rule_4_a_syn_cookie_is_answered_with_data_at_once() {
    let mut wire = Wire::new();
    wire.client(0, syn(100));
    wire.server(10, syn_ack(500, 101));
    // It was lost behind the monitor; another SYN gets another cookie, and the ACK carries the request.
    wire.client(1000, syn(100));
    wire.server(1010, syn_ack(777, 101));
    wire.client(1013, data(101, 778, 50));
    wire.server(1023, data(778, 151, 10));
    wire.client(1024, ack(151, 788));
    let reply = (metric::TCP_FIRST_BYTE, 10, 0, false, 0, 0);
    assert_eq!(
        wire.found(),
        [
            half(REMOTE, 10),
            half(LOCAL, 3),
            reply,
            rtt(10, SEQ, false),
            rtt(1, SEQ, true)
        ]
    );
}

#[test]
fn rule_6_a_capture_that_begins_at_the_syn_ack_knows_who_asked() {
    let mut wire = Wire::new();
    wire.server(0, syn_ack(500, 101).stamped(70, 1));
    wire.client(3, ack(101, 501).stamped(5, 70));
    wire.client(10, data(101, 501, 50).stamped(6, 70));
    wire.server(30, data(501, 151, 10).stamped(80, 6));
    let reply = (metric::TCP_FIRST_BYTE, 20, 0, false, 0, 0);
    assert_eq!(wire.found(), [half(LOCAL, 3), reply, rtt(20, SEQ, false)]);
    // A copy of a SYN-ACK before it, and nothing that tells them apart.
    let mut wire = Wire::new();
    wire.server(0, syn_ack(500, 101));
    wire.client(3, ack(101, 501));
    assert_eq!(wire.found(), []);
    assert_eq!(wire.refused(refusal::JOINED_MIDWAY), 1);
    // An echo tells them apart.
    let mut wire = Wire::new();
    wire.server(0, syn_ack(500, 101).stamped(70, 1));
    wire.server(1000, syn_ack(500, 101).stamped(1070, 1));
    wire.client(1003, ack(101, 501).stamped(5, 1070));
    assert_eq!(wire.found(), []);
    assert_eq!(wire.refused(refusal::RETRANSMITTED), 1);
}

/// `MP_CAPABLE` and `MP_JOIN` (RFC 8684, 3), padded.
const MP_CAPABLE: &[u8] = &[30, 4, 0x01, 0x81];
const MP_JOIN: &[u8] = &[30, 12, 0x10, 1, 9, 9, 9, 9, 8, 8, 8, 8];

#[test]
fn rule_11_subflows_of_mptcp_are_flows_of_their_own() {
    let mut wire = Wire::new();
    for (at, port, options, wait) in [(0, 40000, MP_CAPABLE, 10), (1, 40001, MP_JOIN, 25)] {
        wire.ports = (port, 80);
        wire.client(at, syn(100).options(options));
        wire.server(at + wait, syn_ack(500, 101).options(options));
        wire.client(at + wait + 2, ack(101, 501).options(options));
        wire.client(
            at + wait + 5,
            data(101, 501, 10).options(MP_JOIN).stamped(7, 3),
        );
    }
    for (port, at) in [(40000, 40), (40001, 50)] {
        wire.ports = (port, 80);
        wire.server(at, ack(501, 111).options(MP_JOIN).stamped(9, 7));
    }
    assert_eq!(
        wire.found(),
        [
            half(REMOTE, 10),
            half(LOCAL, 2),
            half(REMOTE, 25),
            half(LOCAL, 2),
            rtt(25, SEQ, false),
            rtt(19, SEQ, false)
        ]
    );
}

#[test]
fn rule_11_either_side_may_be_this_host_or_neither() {
    use latscope_events::sample::direction;
    for (client_here, server_here, direction, local_ends) in [
        (true, false, direction::OUTBOUND, [false, true]),
        (false, true, direction::INBOUND, [true, false]),
        (false, false, direction::FORWARDED, [false, false]),
    ] {
        let mut wire = Wire::new();
        for (at, out, from_client) in [
            (0, syn(100), true),
            (10, syn_ack(500, 101), false),
            (12, ack(101, 501), true),
        ] {
            let bytes = wire.frame(out, from_client);
            let outbound = if from_client {
                client_here
            } else {
                server_here
            };
            wire.feed(at, &bytes, outbound);
        }
        let records = wire.replay.records();
        let found: Vec<_> = records
            .iter()
            .map(|it| {
                let local = it.sample.quality & quality::INCLUDES_LOCAL_HOST != 0;
                (it.sample.latency_ns / MS, it.sample.direction, local)
            })
            .collect();
        // Who answers decides: the server for the first half, the client for the second.
        let expected = [
            (10, direction, local_ends[0]),
            (2, direction, local_ends[1]),
        ];
        assert_eq!(found, expected);
    }
}
