//! Rules 5 to 8 and 24.

use super::{wire::*, *};

#[test]
fn rule_5_data_to_its_acknowledgement_both_ways() {
    for ipv6 in [false, true] {
        let mut wire = Wire {
            ipv6,
            ..Wire::new()
        };
        wire.open();
        wire.client(20, data(101, 501, 100));
        wire.server(50, data(501, 201, 1000));
        wire.client(57, ack(201, 1501));
        let reply = (metric::TCP_FIRST_BYTE, 30, 0, false, 0, 0);
        assert_eq!(
            wire.found(),
            [reply, rtt(30, SEQ, false), rtt(7, SEQ, true)]
        );
    }
}

#[test]
fn rule_5_sequence_numbers_wrap() {
    let mut wire = Wire::new();
    wire.client(0, syn(u32::MAX - 50));
    wire.server(1, syn_ack(500, u32::MAX - 49));
    wire.client(2, ack(u32::MAX - 49, 501));
    wire.found();
    wire.client(10, data(u32::MAX - 49, 501, 100));
    wire.server(15, ack(501, 50));
    wire.client(20, data(50, 501, 100));
    wire.server(28, ack(501, 150));
    assert_eq!(wire.found(), [rtt(5, SEQ, false), rtt(8, SEQ, false)]);
}

#[test]
fn rule_5_a_retransmission_is_refused_and_counted() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.client(220, data(101, 501, 100));
    wire.server(230, ack(501, 201));
    wire.client(300, data(201, 501, 100));
    wire.server(307, ack(501, 301));
    assert_eq!(wire.found(), [rtt(7, SEQ, false)]);
    assert_eq!(wire.refused(refusal::RETRANSMITTED), 1);
}

#[test]
fn rule_5_bytes_behind_a_retransmission_wait_for_it() {
    let mut wire = Wire::new();
    wire.open();
    for (n, at) in [20, 21, 22].into_iter().enumerate() {
        wire.client(at, data(101 + 100 * n as u32, 501, 100));
    }
    // The first arrived and is acknowledged; the second was lost.
    wire.server(30, ack(501, 201));
    wire.client(60, data(201, 501, 100));
    wire.server(70, ack(501, 401));
    assert_eq!(wire.found(), [rtt(10, SEQ, false)]);
    assert_eq!(wire.refused(refusal::RETRANSMITTED), 2);
}

#[test]
fn rule_5_a_late_segment_is_reordered() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.client(21, data(301, 501, 100));
    wire.client(22, data(201, 501, 100));
    wire.server(30, ack(501, 201));
    wire.server(31, ack(501, 401));
    assert_eq!(wire.found(), [rtt(10, SEQ, false)]);
    assert_eq!(wire.refused(refusal::REORDERED), 2);
}

#[test]
fn rule_5_only_an_acknowledgement_of_what_was_sent_counts() {
    let mut wire = Wire::new();
    wire.open();
    wire.server(15, ack(501, 101));
    wire.client(20, data(101, 501, 100));
    wire.server(21, ack(501, 101)); // duplicate: something may be missing behind us
    wire.server(22, ack(501, 90)); // old
    wire.server(23, ack(501, 9999)); // optimistic
    assert_eq!(wire.found(), []);
    wire.server(24, ack(501, 201));
    wire.server(25, ack(501, 201));
    assert_eq!(wire.found(), [rtt(4, COVER, false)]);
    assert_eq!(wire.refused(refusal::DUPLICATE_ACK), 1);
    wire.client(30, data(201, 501, 100));
    wire.server(37, ack(501, 301));
    assert_eq!(wire.found(), [rtt(7, SEQ, false)]);
}

/// Wherever the option is, and though the acknowledgement moves the window: the block is 201 to 301.
#[test]
fn rule_5_selective_acknowledgements_tell_what_is_held_up() {
    const WINDOW_AT: usize = 14 + 20 + 14;
    const BEHIND_TIMESTAMPS: &[u8] = &[
        1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 1, 1, 1, 5, 10, 0, 0, 0, 201, 0, 0, 1, 45,
    ];
    const BEFORE_TIMESTAMPS: &[u8] = &[
        5, 10, 0, 0, 0, 201, 0, 0, 1, 45, 8, 10, 0, 0, 0, 2, 0, 0, 0, 1, 1, 1, 1, 1,
    ];
    const ALONE: &[u8] = &[1, 1, 5, 10, 0, 0, 0, 201, 0, 0, 1, 45];
    /// Bytes 1 to 51, which came twice.
    const TWICE: &[u8] = &[1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 51];
    for (options, quality) in [
        (BEHIND_TIMESTAMPS, COVER),
        (BEFORE_TIMESTAMPS, COVER),
        (ALONE, COVER),
        (TWICE, SEQ),
    ] {
        let mut wire = Wire::new();
        wire.open();
        wire.client(20, data(101, 501, 100));
        wire.client(21, data(201, 501, 100));
        let mut duplicate = wire.frame(ack(501, 101).options(options), false);
        duplicate[WINDOW_AT] ^= 1;
        wire.feed(30, &duplicate, false);
        let flagged = u64::from(quality == COVER);
        assert_eq!(wire.refused(refusal::DUPLICATE_ACK), flagged, "{options:?}");
        wire.server(40, ack(501, 301));
        assert_eq!(wire.found(), [rtt(19, quality, false)], "{options:?}");
    }
}

#[test]
fn rule_5_one_acknowledgement_of_many_is_one_sample() {
    let mut wire = Wire::new();
    wire.open();
    for n in 0..3 {
        wire.client(20 + n, data(101 + 100 * n as u32, 501, 100));
    }
    wire.server(40, ack(501, 301));
    wire.server(50, ack(501, 351)); // inside the third: covers nothing that was followed
    wire.server(60, ack(501, 401));
    assert_eq!(wire.found(), [rtt(19, SEQ, false), rtt(38, SEQ, false)]);
    wire.client(70, data(401, 501, 100));
    wire.client(71, data(501, 501, 100));
    wire.server(80, ack(501, 550));
    assert_eq!(wire.found(), [rtt(10, COVER, false)]);
}

#[test]
fn rule_6_the_echo_of_a_retransmission_is_told_apart() {
    let mut wire = Wire::new();
    wire.client(0, syn(100).stamped(1, 0));
    let syn_ack = syn_ack(500, 101).stamped(70, 1);
    wire.server(10, syn_ack);
    wire.client(11, ack(101, 501).stamped(2, 70));
    wire.found();
    wire.client(20, data(101, 501, 100).stamped(20, 70));
    wire.client(220, data(101, 501, 100).stamped(220, 70));
    wire.server(230, ack(501, 201).stamped(300, 220));
    assert_eq!(wire.found(), [rtt(10, TS, false)]);
    // Inside one tick both copies carry the same TSval.
    wire.client(300, data(201, 501, 100).stamped(300, 300));
    wire.client(500, data(201, 501, 100).stamped(500, 300));
    wire.client(500, data(201, 501, 100).stamped(500, 300));
    wire.server(510, ack(501, 301).stamped(600, 500));
    assert_eq!(wire.found(), []);
}

#[test]
fn rule_6_a_flow_joined_midway_waits() {
    let mut wire = Wire::new();
    wire.client(0, data(5000, 900, 100));
    wire.server(10, ack(900, 5100));
    wire.client(20, data(5100, 900, 100));
    wire.server(26, ack(900, 5200));
    assert_eq!(wire.found(), [rtt(6, SEQ, false)]);
    assert_eq!(wire.refused(refusal::JOINED_MIDWAY), 1);
}

#[test]
fn rule_7_nothing_without_data_is_measured() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.server(25, ack(501, 201));
    wire.found();
    wire.client(100, ack(201, 501)); // window update
    wire.client(200, ack(200, 501)); // keep-alive
    wire.server(205, ack(501, 201));
    wire.client(300, data(200, 501, 1)); // keep-alive with a garbage byte
    wire.server(305, ack(501, 201));
    assert_eq!(wire.found(), []);
    wire.client(400, data(201, 501, 10));
    wire.server(403, ack(501, 211));
    assert_eq!(wire.found(), [rtt(3, SEQ, false)]);
}

#[test]
fn rule_8_eight_are_followed_and_the_rest_counted() {
    let mut wire = Wire::new();
    wire.open();
    for n in 0..10 {
        wire.client(20 + n, data(101 + 10 * n as u32, 501, 10));
    }
    for n in 0..10 {
        wire.server(50 + n, ack(501, 111 + 10 * n as u32));
    }
    // The first seven, and the last, which took the place of the two before it.
    assert_eq!(wire.found(), vec![rtt(30, SEQ, false); 8]);
    assert_eq!(wire.refused(refusal::SLOTS_FULL), 2);
}

#[test]
fn rule_5_what_is_acknowledged_before_it_is_seen_never_starts() {
    let mut wire = Wire::new();
    wire.open();
    wire.server(20, ack(501, 201));
    wire.client(21, data(101, 501, 100));
    wire.server(25, ack(501, 201));
    wire.client(30, data(201, 501, 100));
    wire.server(36, ack(501, 301));
    assert_eq!(wire.found(), [rtt(6, SEQ, false)]);
    assert_eq!(wire.refused(refusal::REORDERED), 1);
}

#[test]
fn rule_24_a_clock_that_goes_back_gives_nothing() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, data(101, 501, 100));
    wire.server(15, ack(501, 201));
    assert_eq!(wire.found(), []);
    assert_eq!(wire.refused(refusal::CLOCK_BACKWARDS), 1);
}

#[test]
fn rule_3_a_fin_is_acknowledged_and_ends_the_flow() {
    let mut wire = Wire::new();
    wire.open();
    wire.client(20, fin(101, 501));
    wire.server(25, fin(501, 102));
    wire.client(29, ack(102, 502));
    wire.client(40, data(102, 502, 10));
    wire.server(45, ack(502, 112));
    assert_eq!(wire.found(), [rtt(5, SEQ, false), rtt(4, SEQ, true)]);
}
