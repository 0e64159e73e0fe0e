//! A peer heard from one side only (ACCURACY.md 2, 3, 6).

use crate::wire::{Seen, blank, segment, unheard};
use latscope_events::{
    flow::state,
    metric::TCP_HANDSHAKE_LOCAL,
    pending::{Pending, flags},
    refusal,
};
use latscope_matching::{
    Segment,
    flow::{self, UNKNOWN},
    peer::{WAITS, heard, heard_again},
    segment::{ACK, RST, SYN},
};

fn stamped(segment: Segment, tsval: u32, tsecr: u32) -> Segment {
    Segment {
        timestamps: 1,
        tsval,
        tsecr,
        ..segment
    }
}

fn first(segment: &Segment) -> Pending {
    let mut first = unheard();
    heard(&mut first, 1, segment, &mut 1000);
    first
}

/// What the opener's acknowledgement at 1007 of a SYN-ACK at 1000 gives, and who is taken for the opener.
fn acknowledged(first: &Pending, ack: &Segment) -> (Seen, u8) {
    let (mut flow, mut seen) = (blank(), Seen::default());
    flow::adopt(&mut flow, first, ack);
    assert!(flow::answer(&mut flow, first, 0, ack, &mut 1007, &mut seen));
    flow::segment_of(&mut flow, 0, ack, &mut 1007, &mut seen);
    (seen, flow.opener)
}

#[test]
fn rule_6_a_syn_ack_without_its_syn_tells_who_asked() {
    let syn_ack = segment(500, 101, SYN | ACK, 0);
    let ack = segment(101, 501, ACK, 0);
    let (seen, opener) = acknowledged(&first(&stamped(syn_ack, 9, 1)), &stamped(ack, 2, 9));
    let found: Vec<_> = seen
        .found
        .iter()
        .map(|it| (it.metric, it.side, it.latency))
        .collect();
    assert_eq!(found, [(TCP_HANDSHAKE_LOCAL, 1, 7)]);
    assert_eq!(opener, 0);
    // Without timestamps it may be a copy of an earlier one.
    let (seen, opener) = acknowledged(&first(&syn_ack), &ack);
    assert_eq!(seen.found, []);
    assert_eq!(seen.refused, [refusal::JOINED_MIDWAY]);
    assert_eq!(opener, 0);
    // Nor does another number acknowledge it.
    let late = stamped(segment(101, 777, ACK, 0), 2, 9);
    let (seen, _) = acknowledged(&first(&stamped(syn_ack, 9, 1)), &late);
    assert_eq!(seen.found, []);
}

#[test]
fn rule_6_data_alone_does_not() {
    let data = segment(500, 101, ACK, 10);
    let (seen, opener) = acknowledged(&first(&data), &segment(101, 510, ACK, 0));
    assert_eq!(seen.found, []);
    assert_eq!(seen.refused_rtt, [(refusal::JOINED_MIDWAY, 1)]);
    assert_eq!(opener, UNKNOWN);
}

#[test]
fn rule_3_what_waits_for_an_answer() {
    let syn = segment(500, 0, SYN, 0);
    let mut peer = first(&syn);
    assert_ne!(peer.flags & WAITS, 0);
    assert!(!heard_again(&mut peer, 1, &syn, &mut 1001), "the same");
    assert_eq!((peer.time, peer.retries), (1000, 1));
    assert!(
        heard_again(&mut peer, 1, &segment(900, 0, SYN, 0), &mut 1002),
        "another"
    );
    assert_eq!((peer.time, peer.retries), (1002, 0));
    // Its answer passed elsewhere.
    assert!(!heard_again(
        &mut peer,
        1,
        &segment(901, 77, ACK, 5),
        &mut 1003
    ));
    assert_eq!(peer.flags & WAITS, 0);
    assert_ne!(peer.flags & flags::DATA, 0);
    assert!(
        heard_again(&mut peer, 1, &syn, &mut 1004),
        "one that begins to wait"
    );
    assert!(!heard_again(
        &mut peer,
        1,
        &segment(501, 0, RST, 0),
        &mut 1005
    ));
    assert_eq!(peer.flags & WAITS, 0);
}

#[test]
fn rule_2_after_the_end_any_syn_opens_another_connection() {
    let mut flow = blank();
    let syn = segment(500, 0, SYN, 0);
    flow.opener = 1;
    flow.syn_time = 1000;
    flow.syn_end = 501;
    assert!(!flow::reopens(&flow, 1, &syn));
    for ended in [state::CLOSED, state::RESET, state::RESET + 1] {
        flow.state = ended;
        assert!(flow::reopens(&flow, 1, &syn));
        assert!(!flow::reopens(&flow, 0, &segment(500, 101, SYN | ACK, 0)));
    }
}

#[test]
fn rule_22_only_who_heard_the_syn_ack_confirms() {
    let (mut flow, mut seen) = (blank(), Seen::default());
    let mut peer = unheard();
    heard(&mut peer, 0, &segment(100, 0, SYN, 0), &mut 1000);
    let syn_ack = segment(u32::MAX, 101, SYN | ACK, 0);
    flow::adopt(&mut flow, &peer, &syn_ack);
    flow::answer(&mut flow, &peer, 1, &syn_ack, &mut 1010, &mut seen);
    let confirms =
        |flow: &_, side, ack, flags| flow::confirms(flow, side, &segment(101, ack, flags, 0));
    for (side, ack, flags, expected) in [
        (0, 0, ACK, true),
        (0, 1, ACK, false),
        (0, u32::MAX, ACK, false),
        (0, 0, ACK | RST, false),
        (0, 0, SYN, false),
        (1, 0, ACK, false),
    ] {
        assert_eq!(confirms(&flow, side, ack, flags), expected, "{side} {ack}");
    }
    // Once the server has spoken, its bytes may be acknowledged as well.
    let data = segment(0, 101, ACK, 10);
    flow::segment_of(&mut flow, 1, &data, &mut 1020, &mut seen);
    assert!(confirms(&flow, 0, 10, ACK));
    assert!(!confirms(&flow, 0, 11, ACK));
}
