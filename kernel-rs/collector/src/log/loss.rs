//! Losses in the kernel, as readers are told of them.

use std::collections::VecDeque;

use crate::proto::LossStage;

/// The stages an engine can lose samples at.
pub(crate) const KERNEL_STAGES: [LossStage; 3] = [
    LossStage::KernelRateLimit,
    LossStage::KernelRingFull,
    LossStage::KernelMapFull,
];
/// Most records of one stage; the two oldest become one beyond it.
const RECORDS_MAX: usize = 64;

/// A number of samples lost between two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) count: u64,
    pub(crate) first_unix_ns: u64,
    pub(crate) last_unix_ns: u64,
}

impl Lost {
    /// Both as one.
    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            first_unix_ns: self.first_unix_ns.min(other.first_unix_ns),
            last_unix_ns: self.last_unix_ns.max(other.last_unix_ns),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Record {
    /// Lost at the stage up to and with this record.
    sum: u64,
    /// Index of the sample that came next.
    index: u64,
    lost: Lost,
}

/// What one stage lost since the session began.
#[derive(Debug, Default)]
pub(super) struct StageLosses {
    records: VecDeque<Record>,
}

impl StageLosses {
    pub(super) fn add(&mut self, index: u64, lost: Lost) {
        self.records.push_back(Record {
            sum: self.sum() + lost.count,
            index,
            lost,
        });
        if self.records.len() > RECORDS_MAX {
            let oldest = self.records.pop_front().map(|it| it.lost);
            if let (Some(oldest), Some(next)) = (oldest, self.records.front_mut()) {
                next.lost = next.lost.with(oldest);
            }
        }
    }

    /// All that was lost.
    pub(super) fn sum(&self) -> u64 {
        self.records.back().map_or(0, |it| it.sum)
    }

    /// What was lost before a sample was read: a reader that begins there is not told of it.
    pub(super) fn sum_before(&self, index: u64) -> u64 {
        let at = self.records.partition_point(|it| it.index <= index);
        at.checked_sub(1).map_or(0, |last| self.records[last].sum)
    }

    /// What was lost since the sum was `told`.
    pub(super) fn since(&self, told: u64) -> Option<Lost> {
        let at = self.records.partition_point(|it| it.sum <= told);
        let lost = self
            .records
            .range(at..)
            .map(|it| it.lost)
            .reduce(Lost::with)?;
        Some(Lost {
            count: self.sum() - told,
            ..lost
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(count: u64, at: u64) -> Lost {
        Lost {
            count,
            first_unix_ns: at,
            last_unix_ns: at + 1,
        }
    }

    #[test]
    fn since_tells_what_was_not_told() {
        let mut losses = StageLosses::default();
        losses.add(10, lost(3, 100));
        losses.add(20, lost(4, 200));
        assert_eq!(
            losses.since(0),
            Some(Lost {
                count: 7,
                first_unix_ns: 100,
                last_unix_ns: 201
            })
        );
        assert_eq!(losses.since(3), Some(lost(4, 200)));
        assert_eq!(losses.since(7), None);
        assert_eq!([9, 10, 20].map(|index| losses.sum_before(index)), [0, 3, 7]);
    }

    #[test]
    fn the_sum_outlives_old_records() {
        let mut losses = StageLosses::default();
        for at in 0..1000 {
            losses.add(at, lost(1, at));
        }
        assert_eq!(
            losses.since(0),
            Some(Lost {
                count: 1000,
                first_unix_ns: 0,
                last_unix_ns: 1000
            })
        );
        assert_eq!(losses.records.len(), RECORDS_MAX);
    }
}
