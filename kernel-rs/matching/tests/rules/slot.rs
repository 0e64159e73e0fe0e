//! A slot's one word: sequence numbers and times survive their truncation (events/src/flow.rs).

use latscope_events::flow::slot;
use proptest::prelude::*;

proptest! {
    #[test]
    fn order_holds_within_a_window(end: u32, time: u64, ahead in -(slot::WINDOW as i32 - 1)..slot::WINDOW as i32) {
        let word = slot::pack(end, time);
        prop_assert_eq!(slot::beyond(word, end.wrapping_add_signed(ahead)), ahead);
    }

    #[test]
    fn age_holds_for_eighteen_minutes(end: u32, time in 0..u64::MAX / 2, age in 0_u64..1 << slot::TIME_BITS) {
        let word = slot::pack(end, time);
        prop_assert_eq!(slot::age(word, time + age), age);
    }
}
