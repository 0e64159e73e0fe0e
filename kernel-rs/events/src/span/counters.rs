//! What is counted for each lane on one CPU, bit-sliced: see [`crate::counter`]. One for each metric, since programs of
//! different metrics interrupt each other.

use crate::{
    config::CAP_PLANES,
    counter::{Cap, PLANES},
    layout, seal,
};

/// Counters of one metric on one CPU, under a [`seal`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Changes ended.
    pub after: u64,
    /// Samples of the current second.
    pub cap: Cap,
    /// By [`count`].
    pub planes: [[u64; PLANES]; count::COUNTS],
    /// Changes begun.
    pub before: u64,
}
layout!(Counters, 8 * (5 + CAP_PLANES + count::COUNTS * PLANES));

impl Counters {
    /// Begins a change.
    #[inline(always)]
    pub fn begin(&mut self) {
        seal::begin(&mut self.before);
    }

    /// Ends it.
    #[inline(always)]
    pub fn end(&mut self) {
        seal::end(self.before, &mut self.after);
    }
}

/// Indexes of [`Counters::planes`].
pub mod count {
    /// Latencies told apart.
    pub const MEASURED: usize = 0;
    /// Those that are in a histogram and by request no sample.
    pub const WITHHELD: usize = 1;
    /// Those of these that no histogram had room for.
    pub const NO_ROOM: usize = 2;
    /// Samples dropped at the cap.
    pub const RATE_LIMITED: usize = 3;
    /// Samples for which the ring had no room.
    pub const RING_FULL: usize = 4;
    /// Starts that found no room: what they begin is not followed.
    pub const SLOTS_FULL: usize = 5;
    /// Starts whose end never came, or too late.
    pub const UNMATCHED_START: usize = 6;
    /// Ends before their start.
    pub const CLOCK_BACKWARDS: usize = 7;
    /// Ends whose start is not known.
    pub const UNMATCHED_END: usize = 8;
    /// Starts that are kept in a table which forgets: what neither ended nor waits there was forgotten.
    pub const BEGUN: usize = 9;
    /// Those of these that have left it otherwise, whatever became of them.
    pub const ENDED: usize = 10;
    /// How many there are.
    pub const COUNTS: usize = 11;
}
