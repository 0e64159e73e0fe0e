//! Data and its acknowledgement, rule by rule (ACCURACY.md 5 to 9).

use crate::wire::{Isn, Wire, segment};
use latscope_events::{
    flow::slot,
    metric::quality::{MAY_INCLUDE_ACK_DELAY, SEQUENCE_MATCHED, TIMESTAMP_MATCHED},
    refusal,
};
use latscope_matching::{
    clock::LONGEST_NS,
    segment::{ACK, FIN, RST, SACK_OF_ONE, shows_hole},
};

const COVERED: u16 = SEQUENCE_MATCHED | MAY_INCLUDE_ACK_DELAY;
const MS: u64 = 1_000_000;

/// A flow whose opener's bytes begin at 100, the other's at 500.
struct Talk {
    wire: Wire,
    base: u32,
    tick: (u32, u32),
}

impl Talk {
    fn new(timestamps: bool) -> Self {
        Self::at(100, timestamps)
    }

    fn at(base: u32, timestamps: bool) -> Self {
        Self {
            wire: Wire::open(Isn(base.wrapping_sub(1), 499), timestamps),
            base,
            tick: (1, 1),
        }
    }

    /// The opener sends bytes `from..to`.
    fn data(&mut self, at_ms: u64, from: u32, to: u32) {
        let data = segment(self.base.wrapping_add(from), 500, ACK, to - from);
        self.wire.see(at_ms * MS, 0, data, self.tick);
    }

    /// The other side has them up to `to`.
    fn ack(&mut self, at_ms: u64, to: u32) {
        let ack = segment(500, self.base.wrapping_add(to), ACK, 0);
        self.wire
            .see(at_ms * MS, 1, ack, (self.tick.1, self.tick.0));
    }

    /// The other side has them up to `to`, and some behind a hole; its window moved.
    fn sack(&mut self, at_ms: u64, to: u32) {
        let mut ack = segment(500, self.base.wrapping_add(to), ACK, 0);
        ack.sacked = 1;
        ack.window = at_ms as u16;
        self.wire
            .see(at_ms * MS, 1, ack, (self.tick.1, self.tick.0));
    }

    /// Latencies in ms with their quality.
    fn rtts(&mut self) -> Vec<(u64, u16)> {
        self.wire
            .rtts()
            .into_iter()
            .map(|(ns, quality, _)| (ns / MS, quality))
            .collect()
    }

    fn refused(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.wire.seen.refused_rtt)
    }
}

#[test]
fn rule_5_an_acknowledgement_ends_what_it_ends_at() {
    let mut talk = Talk::new(false);
    talk.data(20, 0, 100);
    talk.data(21, 100, 200);
    talk.ack(30, 100);
    talk.ack(32, 200);
    assert_eq!(
        talk.rtts(),
        [(10, SEQUENCE_MATCHED), (11, SEQUENCE_MATCHED)]
    );
    assert_eq!(talk.refused(), []);
}

#[test]
fn rule_5_one_sample_for_one_acknowledgement() {
    let mut talk = Talk::new(false);
    for n in 0..4 {
        talk.data(20 + u64::from(n), n * 100, n * 100 + 100);
    }
    talk.ack(40, 400);
    assert_eq!(talk.rtts(), [(17, SEQUENCE_MATCHED)]);
    talk.ack(41, 400);
    assert_eq!(talk.rtts(), []);
}

#[test]
fn rule_9_an_acknowledgement_inside_a_large_packet_ends_what_is_before_it() {
    let mut talk = Talk::new(false);
    talk.data(20, 0, 100);
    talk.data(25, 100, 10_000);
    talk.ack(30, 3000);
    assert_eq!(talk.rtts(), [(10, COVERED)]);
    talk.ack(31, 9000);
    assert_eq!(talk.rtts(), []);
    talk.ack(33, 10_000);
    assert_eq!(talk.rtts(), [(8, SEQUENCE_MATCHED)]);
}

#[test]
fn rule_5_sequence_numbers_wrap_anywhere() {
    for back in [0, 1, 50, 99, 100, 101, 1 << 23, 1 << 24, 1 << 31] {
        let mut talk = Talk::at(0_u32.wrapping_sub(back), false);
        for n in 0..4 {
            talk.data(20, n * 100, n * 100 + 100);
            talk.ack(27, n * 100 + 100);
        }
        assert_eq!(talk.rtts(), [(7, SEQUENCE_MATCHED); 4], "{back}");
    }
}

#[test]
fn rule_5_bytes_sent_twice_are_refused_with_all_behind_them() {
    let mut talk = Talk::new(false);
    talk.data(20, 0, 100);
    talk.data(21, 100, 200);
    talk.data(22, 200, 300);
    talk.data(50, 100, 200);
    assert_eq!(talk.refused(), [(refusal::RETRANSMITTED, 2)]);
    talk.ack(60, 100);
    talk.ack(61, 200);
    talk.ack(62, 300);
    assert_eq!(talk.rtts(), [(40, SEQUENCE_MATCHED)]);
    talk.data(70, 300, 400);
    talk.ack(75, 400);
    assert_eq!(talk.rtts(), [(5, SEQUENCE_MATCHED)]);
}

#[test]
fn rule_5_a_retransmission_that_begins_inside_a_segment_touches_it() {
    let mut talk = Talk::new(false);
    talk.data(20, 0, 100);
    talk.data(21, 100, 200);
    talk.data(50, 150, 250);
    assert_eq!(talk.refused(), [(refusal::RETRANSMITTED, 1)]);
    talk.ack(60, 250);
    // The first 100 bytes were sent once, and are covered.
    assert_eq!(talk.rtts(), [(40, COVERED)]);
}

#[test]
fn rule_5_a_late_segment_holds_up_those_behind_it() {
    let mut talk = Talk::new(false);
    talk.data(20, 100, 200);
    talk.data(21, 0, 100);
    assert_eq!(talk.refused(), [(refusal::REORDERED, 2)]);
    talk.ack(30, 200);
    assert_eq!(talk.rtts(), []);
}

#[test]
fn rule_5_old_duplicate_and_optimistic_acknowledgements_end_nothing() {
    let mut talk = Talk::new(false);
    talk.data(20, 0, 100);
    talk.ack(30, 100);
    talk.rtts();
    talk.data(40, 100, 200);
    talk.ack(41, 50);
    talk.ack(42, 201);
    talk.ack(43, 0x7fff_ffff);
    talk.ack(44, 0x8000_0000);
    assert_eq!(talk.rtts(), []);
    talk.ack(45, 200);
    assert_eq!(talk.rtts(), [(5, SEQUENCE_MATCHED)]);
}

#[test]
fn rule_5_what_may_have_waited_for_something_missing_is_flagged() {
    let mut talk = Talk::new(false);
    talk.ack(15, 0);
    talk.data(20, 0, 100);
    talk.data(21, 100, 200);
    talk.ack(30, 0);
    assert_eq!(talk.refused(), [(refusal::DUPLICATE_ACK, 1)]);
    talk.data(31, 200, 300);
    talk.ack(50, 200);
    talk.ack(51, 300);
    assert_eq!(talk.rtts(), [(29, COVERED), (20, SEQUENCE_MATCHED)]);
}

#[test]
fn rule_5_what_selective_acknowledgements_show_to_wait_is_flagged() {
    let mut talk = Talk::new(false);
    talk.data(20, 0, 100);
    talk.data(21, 100, 200);
    talk.sack(30, 0);
    assert_eq!(talk.refused(), [(refusal::DUPLICATE_ACK, 1)]);
    talk.ack(50, 200);
    assert_eq!(talk.rtts(), [(29, COVERED)]);
    // One that goes on, and shows that the next are held up.
    for (at, from) in [(60, 200), (61, 300), (62, 400)] {
        talk.data(at, from, from + 100);
    }
    talk.sack(70, 300);
    talk.data(71, 500, 600);
    talk.ack(90, 500);
    talk.ack(91, 600);
    let flagged = (28, COVERED);
    assert_eq!(
        talk.rtts(),
        [(10, SEQUENCE_MATCHED), flagged, (20, SEQUENCE_MATCHED)]
    );
    assert_eq!(talk.refused(), []);
}

#[test]
fn rule_5_bytes_that_came_twice_are_no_hole() {
    let twice = (50, 100);
    assert!(!shows_hole(SACK_OF_ONE, twice.0, twice.1));
    assert!(!shows_hole(SACK_OF_ONE, u32::MAX - 10, 10));
    assert!(shows_hole(SACK_OF_ONE + 8, twice.0, twice.1));
    assert!(shows_hole(SACK_OF_ONE, 101, 100));
    assert!(shows_hole(SACK_OF_ONE, 10, u32::MAX - 10));
    // Not even one block.
    assert!(!shows_hole(2, 101, 100));
}

#[test]
fn rule_6_the_first_echo_tells_which_copy_was_answered() {
    let mut talk = Talk::new(true);
    talk.tick = (10, 1);
    talk.data(20, 0, 100);
    talk.tick = (30, 1);
    talk.data(220, 0, 100);
    talk.ack(230, 100);
    assert_eq!(talk.rtts(), [(10, TIMESTAMP_MATCHED)]);
    // The first copy's echo.
    let mut talk = Talk::new(true);
    talk.tick = (10, 1);
    talk.data(20, 0, 100);
    talk.tick = (30, 1);
    talk.data(220, 0, 100);
    talk.tick = (10, 1);
    talk.ack(230, 100);
    assert_eq!(talk.rtts(), []);
}

#[test]
fn rule_6_two_copies_inside_a_tick_stay_ambiguous() {
    let mut talk = Talk::new(true);
    talk.tick = (10, 1);
    talk.data(20, 0, 100);
    talk.data(22, 0, 100);
    talk.ack(30, 100);
    assert_eq!(talk.rtts(), []);
    assert_eq!(talk.refused(), [(refusal::RETRANSMITTED, 1)]);
}

#[test]
fn rule_6_a_timestamp_seen_on_a_pure_acknowledgement_is_not_new() {
    let mut talk = Talk::new(true);
    talk.tick = (10, 1);
    talk.data(20, 0, 100);
    talk.tick = (30, 1);
    let bare = segment(200, 500, ACK, 0);
    talk.wire.see(219 * MS, 0, bare, (30, 1));
    talk.data(220, 0, 100);
    talk.ack(230, 100);
    assert_eq!(talk.rtts(), []);
}

#[test]
fn rule_6_timestamps_wrap() {
    for first in [u32::MAX, u32::MAX - 1, 0x7fff_ffff, 0x8000_0000] {
        let mut talk = Talk::new(true);
        // From the handshake's 1 up to there in steps that count as newer.
        for tick in [0x4000_0000, 0x7fff_fffe, 0xbfff_ffff] {
            if tick < first {
                let bare = segment(100, 500, ACK, 0);
                talk.wire.see(15 * MS, 0, bare, (tick, 1));
            }
        }
        talk.tick = (first, 1);
        talk.data(20, 0, 100);
        talk.tick = (first.wrapping_add(2), 1);
        talk.data(220, 0, 100);
        talk.ack(225, 100);
        assert_eq!(talk.rtts(), [(5, TIMESTAMP_MATCHED)], "{first:#x}");
    }
}

#[test]
fn rule_6_an_echo_with_more_acknowledged_is_flagged() {
    let mut talk = Talk::new(true);
    talk.tick = (10, 1);
    talk.data(20, 0, 100);
    talk.data(21, 100, 200);
    talk.tick = (30, 1);
    talk.data(220, 0, 100);
    talk.ack(230, 200);
    assert_eq!(
        talk.rtts(),
        [(10, TIMESTAMP_MATCHED | MAY_INCLUDE_ACK_DELAY)]
    );
}

#[test]
fn rule_6_bytes_that_are_acknowledged_are_not_followed_again() {
    let mut talk = Talk::new(true);
    talk.tick = (10, 1);
    talk.data(20, 0, 100);
    talk.ack(25, 100);
    talk.rtts();
    talk.tick = (30, 1);
    talk.data(220, 0, 100);
    talk.data(221, 100, 200);
    talk.ack(230, 200);
    assert_eq!(talk.rtts(), [(9, SEQUENCE_MATCHED)]);
}

#[test]
fn rule_6_an_echo_inside_a_large_packet_ends_the_wait() {
    let mut talk = Talk::new(true);
    talk.tick = (10, 1);
    talk.data(20, 0, 900);
    talk.tick = (30, 1);
    talk.data(220, 0, 900);
    // Its first part arrived; what comes later may be due to another copy of the rest.
    talk.ack(230, 800);
    talk.ack(300, 900);
    assert_eq!(talk.rtts(), []);
}

#[test]
fn rule_6_below_one_tick_sequence_numbers_still_tell() {
    let mut talk = Talk::new(true);
    talk.tick = (10, 7);
    for n in 0..3 {
        let at = 20 * MS + u64::from(n) * 1000;
        let from = n * 100;
        let data = segment(100 + from, 500, ACK, 100);
        talk.wire.see(at, 0, data, (10, 7));
        talk.wire
            .see(at + 400, 1, segment(500, 200 + from, ACK, 0), (7, 10));
    }
    let ns: Vec<u64> = talk.wire.rtts().into_iter().map(|(ns, _, _)| ns).collect();
    assert_eq!(ns, [400, 400, 400]);
}

#[test]
fn rule_7_nothing_without_data_is_measured() {
    let mut talk = Talk::new(true);
    talk.data(20, 0, 100);
    talk.ack(25, 100);
    talk.rtts();
    // Keep-alive without data, its answer, a window update.
    for (at, seq, tick) in [(1000, 199, 50), (2000, 199, 60)] {
        talk.wire
            .see(at * MS, 0, segment(seq, 500, ACK, 0), (tick, 1));
        talk.tick = (tick, 1);
        talk.ack(at + 5, 100);
    }
    // With one byte of old data.
    talk.tick = (70, 1);
    talk.wire
        .see(3000 * MS, 0, segment(199, 500, ACK, 1), (70, 1));
    talk.ack(3005, 100);
    assert_eq!(talk.rtts(), []);
    talk.tick = (80, 1);
    talk.data(4000, 100, 200);
    talk.ack(4003, 200);
    assert_eq!(talk.rtts(), [(3, SEQUENCE_MATCHED)]);
}

#[test]
fn rule_8_eight_at_once_then_the_newest_gives_its_place() {
    let mut talk = Talk::new(false);
    for n in 0..10 {
        talk.data(20 + u64::from(n), n * 100, n * 100 + 100);
    }
    assert_eq!(talk.refused(), [(refusal::SLOTS_FULL, 1); 2]);
    for n in 0..10 {
        talk.ack(40 + u64::from(n), n * 100 + 100);
    }
    // The eighth and the ninth made room for the tenth.
    assert_eq!(talk.rtts(), [(20, SEQUENCE_MATCHED); 8]);
}

#[test]
fn rule_8_slots_are_used_again_and_again() {
    let mut talk = Talk::new(false);
    for n in 0..1000 {
        talk.data(20 + u64::from(n) * 2, n * 100, n * 100 + 100);
        if n >= 5 {
            talk.ack(21 + u64::from(n) * 2, (n - 4) * 100);
        }
    }
    assert_eq!(talk.rtts(), vec![(11, SEQUENCE_MATCHED); 995]);
    assert_eq!(talk.refused(), []);
}

#[test]
fn beyond_a_window_nothing_is_followed_and_nothing_mistaken() {
    let mut talk = Talk::new(false);
    let window = slot::WINDOW;
    talk.data(20, 0, window - 1);
    talk.data(21, window - 1, window + 99);
    assert_eq!(talk.refused(), [(refusal::SLOTS_FULL, 1)]);
    talk.ack(30, window + 99);
    assert_eq!(talk.rtts(), []);
    talk.data(40, window + 99, window + 199);
    talk.ack(46, window + 199);
    assert_eq!(talk.rtts(), [(6, SEQUENCE_MATCHED)]);
}

#[test]
fn rule_23_an_answer_after_the_timeout_is_none() {
    let mut talk = Talk::new(false);
    talk.data(0, 0, 100);
    talk.ack(LONGEST_NS / MS, 100);
    assert_eq!(talk.rtts(), [(LONGEST_NS / MS, SEQUENCE_MATCHED)]);
    talk.data(400_000, 100, 200);
    talk.ack(400_001 + LONGEST_NS / MS, 200);
    assert_eq!(talk.rtts(), []);
    assert_eq!(talk.refused(), [(refusal::UNMATCHED_START, 1)]);
}

#[test]
fn rule_24_a_negative_time_is_none() {
    let mut talk = Talk::new(false);
    talk.data(50, 0, 100);
    talk.ack(49, 100);
    assert_eq!(talk.rtts(), []);
    assert_eq!(talk.refused(), [(refusal::CLOCK_BACKWARDS, 1)]);
}

#[test]
fn forty_bits_of_time_wrap() {
    let mut talk = Talk::new(false);
    let wrap = (1 << slot::TIME_BITS) / MS;
    talk.data(wrap - 3, 0, 100);
    talk.ack(wrap + 4, 100);
    assert_eq!(talk.rtts(), [(7, SEQUENCE_MATCHED)]);
}

#[test]
fn rule_3_a_fin_is_acknowledged_like_a_byte_and_both_close_the_flow() {
    let mut talk = Talk::new(false);
    talk.wire
        .see(20 * MS, 0, segment(100, 500, ACK | FIN, 10), (0, 0));
    talk.wire
        .see(25 * MS, 1, segment(500, 111, ACK | FIN, 0), (0, 0));
    talk.wire.see(27 * MS, 0, segment(111, 501, ACK, 0), (0, 0));
    let rtts = talk.wire.rtts();
    assert_eq!(
        rtts,
        [(5 * MS, SEQUENCE_MATCHED, 0), (2 * MS, SEQUENCE_MATCHED, 1)]
    );
    // Whatever comes now belongs to nothing.
    talk.data(30, 11, 100);
    talk.ack(35, 100);
    assert_eq!(talk.rtts(), []);
}

#[test]
fn rule_3_a_reset_ends_the_flow() {
    let mut talk = Talk::new(false);
    talk.data(20, 0, 100);
    talk.wire.see(21 * MS, 1, segment(500, 0, RST, 0), (0, 0));
    talk.ack(25, 100);
    assert_eq!(talk.rtts(), []);
}
