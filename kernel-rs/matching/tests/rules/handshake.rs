//! Both halves of a handshake, rule by rule (ACCURACY.md 1 to 4).

use crate::wire::{Isn, Seen, Wire, blank, segment, unheard};
use latscope_events::{
    metric::{TCP_CONNECT_FAILURE, TCP_HANDSHAKE_LOCAL, TCP_HANDSHAKE_REMOTE, quality},
    pending::{Pending, flags},
    refusal,
};
use latscope_matching::{
    Found, Segment, flow, handshake,
    segment::{ACK, RST, SYN},
};

/// A SYN from side 0 at each of these times.
fn syns(isn: u32, at: &[u64], timestamps: bool) -> Pending {
    let mut first = unheard();
    for (n, at) in (1..).zip(at) {
        let mut syn = segment(isn, 0, SYN, 0);
        if timestamps {
            syn.timestamps = 1;
            syn.tsval = n;
        }
        handshake::syn(&mut first, 0, &syn, &mut { *at });
    }
    first
}

fn answered(first: &Pending, segment: &Segment, errno: i16, at: u64) -> Seen {
    let mut seen = Seen::default();
    handshake::answered(first, segment, errno, &mut { at }, &mut seen);
    seen
}

fn halves(isn: Isn) -> Vec<(u8, u8, u64)> {
    let mut flow = blank();
    let mut seen = Seen::default();
    let first = syns(isn.0, &[1000], false);
    let syn_ack = segment(isn.1, isn.0.wrapping_add(1), SYN | ACK, 0);
    assert!(handshake::is_syn_ack(&first, &syn_ack));
    flow::adopt(&mut flow, &first, &syn_ack);
    assert!(!flow::answer(
        &mut flow, &first, 1, &syn_ack, &mut 1030, &mut seen
    ));
    let ack = segment(isn.0.wrapping_add(1), isn.1.wrapping_add(1), ACK, 0);
    flow::segment_of(&mut flow, 0, &ack, &mut 1037, &mut seen);
    flow::segment_of(&mut flow, 0, &ack, &mut 1099, &mut seen);
    seen.found
        .iter()
        .map(|it| (it.metric, it.side, it.latency))
        .collect()
}

#[test]
fn rule_1_each_half_once_whatever_the_numbers() {
    for isn in [
        Isn(100, 500),
        Isn(u32::MAX, 0),
        Isn(0, u32::MAX),
        Isn(u32::MAX - 1, u32::MAX - 1),
    ] {
        assert_eq!(
            halves(isn),
            [(TCP_HANDSHAKE_REMOTE, 0, 30), (TCP_HANDSHAKE_LOCAL, 1, 7)]
        );
    }
}

#[test]
fn rule_1_only_the_number_plus_one_answers() {
    let first = syns(100, &[1000], false);
    for (ack, answers) in [(100, false), (101, true), (102, false), (0, false)] {
        assert_eq!(
            handshake::is_syn_ack(&first, &segment(7, ack, SYN | ACK, 0)),
            answers
        );
        assert_eq!(
            handshake::is_refusal(&first, &segment(7, ack, RST | ACK, 0)),
            answers
        );
    }
    assert!(!handshake::is_syn_ack(&first, &segment(7, 101, ACK, 0)));
    assert!(!handshake::is_syn_ack(&first, &segment(7, 101, SYN, 0)));
    assert!(!handshake::is_refusal(&first, &segment(7, 101, RST, 0)));
}

#[test]
fn rule_2_counts_from_the_first_syn_and_says_so() {
    let first = syns(100, &[1000, 2000, 4000], false);
    let seen = answered(&first, &segment(7, 101, SYN | ACK, 0), 0, 4010);
    let found = Found {
        latency: 3010,
        metric: TCP_HANDSHAKE_REMOTE,
        retries: 2,
        quality: quality::SYN_RETRANSMITTED,
        ..Found::NOTHING
    };
    assert_eq!(seen.found, [found]);
}

#[test]
fn rule_2_the_echo_of_the_first_syn_is_no_retry() {
    let first = syns(100, &[1000, 2000], true);
    let mut first = first;
    first.flags |= flags::TIMESTAMPS;
    for (tsecr, retries, quality) in [(1, 0, 0), (2, 1, quality::SYN_RETRANSMITTED)] {
        let mut syn_ack = segment(7, 101, SYN | ACK, 0);
        syn_ack.timestamps = 1;
        syn_ack.tsecr = tsecr;
        let seen = answered(&first, &syn_ack, 0, 2010);
        let [found] = seen.found[..] else {
            panic!("{seen:?}");
        };
        assert_eq!(
            (found.latency, found.retries, found.quality),
            (1010, retries, quality)
        );
    }
}

#[test]
fn rule_2_another_number_is_another_connection() {
    let mut first = syns(100, &[1000, 2000], false);
    handshake::syn(&mut first, 0, &segment(200, 0, SYN, 0), &mut 5000);
    assert!(!handshake::is_syn_ack(
        &first,
        &segment(7, 101, SYN | ACK, 0)
    ));
    let seen = answered(&first, &segment(7, 201, SYN | ACK, 0), 0, 5010);
    assert_eq!((seen.found[0].latency, seen.found[0].retries), (10, 0));
}

#[test]
fn rule_2_retries_are_counted_up_to_the_end_of_their_byte() {
    let at: Vec<u64> = (1000..1400).collect();
    let first = syns(100, &at, false);
    assert_eq!(first.retries, 255);
    assert_eq!(first.time, 1000);
}

#[test]
fn rule_2_a_repeated_syn_ack_leaves_the_other_half_untold() {
    let mut flow = blank();
    let mut seen = Seen::default();
    let first = syns(100, &[1000], false);
    let syn_ack = segment(500, 101, SYN | ACK, 0);
    flow::adopt(&mut flow, &first, &syn_ack);
    flow::answer(&mut flow, &first, 1, &syn_ack, &mut 1030, &mut seen);
    flow::segment_of(&mut flow, 1, &syn_ack, &mut 2030, &mut seen);
    flow::segment_of(
        &mut flow,
        0,
        &segment(101, 501, ACK, 0),
        &mut 2040,
        &mut seen,
    );
    assert_eq!(seen.found.len(), 1);
    assert_eq!(seen.refused, [refusal::RETRANSMITTED]);
}

#[test]
fn rule_3_a_failure_bears_its_errno() {
    let first = syns(100, &[1000], false);
    for errno in [handshake::ECONNREFUSED, 113, 101] {
        let seen = answered(&first, &segment(0, 101, RST | ACK, 0), errno, 1020);
        let found = Found {
            latency: 20,
            metric: TCP_CONNECT_FAILURE,
            result: errno,
            ..Found::NOTHING
        };
        assert_eq!(seen.found, [found]);
    }
}

#[test]
fn rule_4_fast_open_is_acknowledged_with_its_data_or_without() {
    let mut first = unheard();
    handshake::syn(&mut first, 0, &segment(100, 0, SYN, 30), &mut 1000);
    for (ack, answers) in [(101, true), (131, true), (130, false), (102, false)] {
        assert_eq!(
            handshake::is_syn_ack(&first, &segment(7, ack, SYN | ACK, 0)),
            answers,
            "{ack}"
        );
    }
}

#[test]
fn rule_24_an_answer_before_its_question_is_none() {
    let first = syns(100, &[1000], false);
    let seen = answered(&first, &segment(7, 101, SYN | ACK, 0), 0, 999);
    assert!(seen.found.is_empty());
    assert_eq!(seen.refused, [refusal::CLOCK_BACKWARDS]);
}

#[test]
fn a_syn_of_the_same_number_does_not_open_the_flow_anew() {
    let wire = Wire::open(Isn(100, 500), false);
    assert!(!flow::reopens(&wire.flow, 0, &segment(100, 0, SYN, 0)));
    assert!(flow::reopens(&wire.flow, 0, &segment(101, 0, SYN, 0)));
    assert!(flow::reopens(&wire.flow, 1, &segment(100, 0, SYN, 0)));
    assert!(!flow::reopens(
        &wire.flow,
        1,
        &segment(500, 101, SYN | ACK, 0)
    ));
}

/// SYNs that cross: the first side has heard the other when it acknowledges its number, wherever that is.
#[test]
fn rule_4_of_a_simultaneous_open_the_acknowledgement_confirms() {
    for other in [500, 0x9000_0000, u32::MAX] {
        let first = syns(100, &[1000], false);
        let syn = segment(other, 0, SYN, 0);
        let (mut flow, mut seen) = (blank(), Seen::default());
        flow::adopt(&mut flow, &first, &syn);
        assert!(!flow::answer(
            &mut flow, &first, 1, &syn, &mut 1010, &mut seen
        ));
        for (ack, side, confirms) in [
            (other, 0, false),
            (other.wrapping_add(1), 0, true),
            (other.wrapping_add(2), 0, false),
            (101, 1, false),
        ] {
            let ack = segment(101, ack, ACK, 0);
            assert_eq!(flow::confirms(&flow, side, &ack), confirms);
        }
        assert_eq!(seen.found, []);
    }
}
