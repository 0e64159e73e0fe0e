//! What the kernel counted for a session: measured, withheld, lost, refused.

use std::collections::HashMap;

use latscope_events::{
    counter,
    span::counters::{Counters, count},
};

use crate::proto::{Loss, LossStage, Refusal, RefusalReason, Totals};

/// Counts of one lane, by [`count`].
pub(super) type Counts = [u64; count::COUNTS];

const LOSSES: [(LossStage, usize); 3] = [
    (LossStage::KernelRateLimit, count::RATE_LIMITED),
    (LossStage::KernelRingFull, count::RING_FULL),
    (LossStage::KernelMapFull, count::NO_ROOM),
];
const REFUSALS: [(RefusalReason, usize); 4] = [
    (RefusalReason::UnmatchedStart, count::UNMATCHED_START),
    (RefusalReason::UnmatchedEnd, count::UNMATCHED_END),
    (RefusalReason::ClockBackwards, count::CLOCK_BACKWARDS),
    (RefusalReason::SlotsFull, count::SLOTS_FULL),
];

/// Counters of one session, and where the shared ones stood when each of its lanes began.
#[derive(Default)]
pub(super) struct Books {
    began: HashMap<u32, Counts>,
    /// Of lanes that it has no more.
    closed: Counts,
    /// Losses that readers were told of.
    told: [u64; LOSSES.len()],
}

/// What the counters of all metrics show for one bit.
pub(super) fn of_bit(counters: &[Counters], bit: u32) -> Counts {
    let mut counts = Counts::default();
    for cpu in counters {
        for (sum, planes) in counts.iter_mut().zip(&cpu.planes) {
            *sum += counter::read(planes, bit);
        }
    }
    counts
}

impl Books {
    /// A lane begins; what the counters show for its bit was for others.
    pub(super) fn open(&mut self, bit: u32, counters: &[Counters]) {
        self.began.insert(bit, of_bit(counters, bit));
    }

    /// A lane has ended.
    pub(super) fn close(&mut self, bit: u32, counters: &[Counters]) {
        if let Some(began) = self.began.remove(&bit) {
            add(&mut self.closed, &of_bit(counters, bit), &began);
        }
    }

    /// A start of the session will have no end, which the kernel does not know.
    pub(super) fn lose_start(&mut self) {
        self.closed[count::UNMATCHED_START] += 1;
    }

    fn counts(&self, counters: &[Counters]) -> Counts {
        let mut sum = self.closed;
        for (bit, began) in &self.began {
            add(&mut sum, &of_bit(counters, *bit), began);
        }
        sum
    }

    /// The session's totals as far as the kernel knows them; `waiting` are starts in the table that forgets.
    pub(super) fn totals(&self, counters: &[Counters], waiting: u64) -> Totals {
        let mut counts = self.counts(counters);
        // One that begins between the two readings waits and has not begun.
        let forgotten = counts[count::BEGUN].saturating_sub(counts[count::ENDED] + waiting);
        counts[count::UNMATCHED_START] += forgotten;
        let losses = LOSSES.map(|(stage, at)| Loss {
            stage: stage.into(),
            count: counts[at],
            ..Loss::default()
        });
        let refusals = REFUSALS.map(|(reason, at)| Refusal {
            reason: reason.into(),
            count: counts[at],
        });
        Totals {
            measured: counts[count::MEASURED],
            aggregated_only: counts[count::WITHHELD],
            losses: losses.into_iter().filter(|it| it.count > 0).collect(),
            refusals: refusals.into_iter().filter(|it| it.count > 0).collect(),
            ..Totals::default()
        }
    }

    /// What was lost since the last call, by stage.
    pub(super) fn untold(&mut self, counters: &[Counters]) -> [(LossStage, u64); LOSSES.len()] {
        let counts = self.counts(counters);
        let mut untold = LOSSES.map(|(stage, at)| (stage, counts[at]));
        for ((_, count), told) in untold.iter_mut().zip(&mut self.told) {
            let all = *count;
            *count = all - *told;
            *told = all;
        }
        untold
    }
}

fn add(sum: &mut Counts, now: &Counts, began: &Counts) {
    for ((sum, now), began) in sum.iter_mut().zip(now).zip(began) {
        *sum += now.wrapping_sub(*began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::zero;

    fn counted(measured: u64, ring_full: u64) -> Counters {
        let mut cpu: Counters = zero();
        counter::write(&mut cpu.planes[count::MEASURED], 3, measured);
        counter::write(&mut cpu.planes[count::RING_FULL], 3, ring_full);
        cpu
    }

    #[test]
    fn what_stood_in_the_shared_counters_was_for_others() {
        let mut books = Books::default();
        books.open(3, &[counted(10, 2), counted(5, 0)]);
        let now = [counted(11, 2), counted(9, 1)];
        let totals = books.totals(&now, 0);
        assert_eq!((totals.measured, totals.losses.len()), (5, 1));
        assert_eq!(totals.losses[0].count, 1);
        assert_eq!(books.untold(&now)[1], (LossStage::KernelRingFull, 1));
        assert_eq!(books.untold(&now)[1], (LossStage::KernelRingFull, 0));
    }

    #[test]
    fn what_neither_ended_nor_waits_was_forgotten() {
        let mut books = Books::default();
        books.open(3, &[counted(0, 0)]);
        let mut now = counted(6, 0);
        for (what, n) in [(count::BEGUN, 10), (count::ENDED, 7)] {
            counter::write(&mut now.planes[what], 3, n);
        }
        let refusals = |waiting| {
            let refusals = books.totals(&[now], waiting).refusals;
            let all = refusals.iter().map(|it| (it.reason(), it.count));
            all.collect::<Vec<_>>()
        };
        assert_eq!(refusals(1), [(RefusalReason::UnmatchedStart, 2)]);
        assert_eq!(refusals(3), []);
        assert_eq!(refusals(4), []);
    }

    #[test]
    fn a_closed_lane_counts_no_more_and_is_not_forgotten() {
        let mut books = Books::default();
        books.open(3, &[counted(1, 0)]);
        books.close(3, &[counted(4, 0)]);
        assert_eq!(books.totals(&[counted(100, 100)], 0).measured, 3);
    }
}
