//! What one reader lost and when it was told.

use std::time::Duration;

use tokio::time::Instant;

use super::cursor::OWN_STAGES;
use crate::{
    books,
    log::loss::{KERNEL_STAGES, Lost},
    proto::{Loss, LossStage},
};

/// A stage is told of at most this often.
const INTERVAL: Duration = Duration::from_secs(1);

/// A stage at which the reader itself loses samples.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    untold: Option<Lost>,
    sum: Option<Lost>,
    told_at: Option<Instant>,
}

/// The losses of one stream: its own, and those of the kernel that it is told of.
#[derive(Debug)]
pub(super) struct Losses {
    own: [Own; OWN_STAGES.len()],
    kernel_told: [u64; KERNEL_STAGES.len()],
    kernel_told_at: [Option<Instant>; KERNEL_STAGES.len()],
}

/// A loss that is due.
pub(super) struct Due {
    pub(super) loss: Loss,
    /// Indexes it accounts for: none if it happened in the kernel, before indexes were given.
    pub(super) indexes: u64,
}

impl Losses {
    /// Takes over what an earlier stream had not told, and what the kernel lost before this one begins.
    pub(super) fn new(
        untold: [u64; OWN_STAGES.len()],
        kernel_told: [u64; KERNEL_STAGES.len()],
    ) -> Self {
        let mut own = [Own::default(); OWN_STAGES.len()];
        for (own, count) in own.iter_mut().zip(untold) {
            let lost = (count > 0).then_some(Lost {
                count,
                first_unix_ns: 0,
                last_unix_ns: 0,
            });
            *own = Own {
                untold: lost,
                sum: lost,
                told_at: None,
            };
        }
        Self {
            own,
            kernel_told,
            kernel_told_at: [None; KERNEL_STAGES.len()],
        }
    }

    /// The reader lost samples.
    pub(super) fn add(&mut self, stage: LossStage, lost: Lost) {
        if lost.count > 0 {
            self.add_some(stage, lost);
        }
    }

    /// The reader lost samples; a count of 0 says that nobody knows how many.
    pub(super) fn add_some(&mut self, stage: LossStage, lost: Lost) {
        let at = OWN_STAGES
            .iter()
            .position(|it| *it == stage)
            .expect("a stage of the reader");
        let Own { untold, sum, .. } = &mut self.own[at];
        for total in [untold, sum] {
            *total = Some(total.map_or(lost, |known| known.with(lost)));
        }
    }

    /// A loss that may be told now; with `last` also one that was told of less than a second ago. A reader that is `blind` hears that
    /// the kernel lost some, not how many.
    pub(super) fn due(
        &mut self,
        kernel: &[Option<Lost>],
        now: Instant,
        last: bool,
        blind: bool,
    ) -> Option<Due> {
        let ripe = |told_at: Option<Instant>| last || told_at.is_none_or(|at| now >= at + INTERVAL);
        for (own, stage) in self.own.iter_mut().zip(OWN_STAGES) {
            if ripe(own.told_at)
                && let Some(lost) = own.untold.take()
            {
                own.told_at = Some(now);
                return Some(Due {
                    loss: books::loss(stage, lost),
                    indexes: lost.count,
                });
            }
        }
        for (at, stage) in KERNEL_STAGES.into_iter().enumerate() {
            if ripe(self.kernel_told_at[at])
                && let Some(lost) = kernel[at]
            {
                self.kernel_told[at] += lost.count;
                self.kernel_told_at[at] = Some(now);
                let told = Lost {
                    count: if blind { 0 } else { lost.count },
                    ..lost
                };
                return Some(Due {
                    loss: books::loss(stage, told),
                    indexes: 0,
                });
            }
        }
        None
    }

    /// When the next loss may be told, if one waits.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.own
            .iter()
            .filter(|it| it.untold.is_some())
            .filter_map(|it| it.told_at)
            .map(|at| at + INTERVAL)
            .min()
    }

    /// Lost and not told, for a cursor.
    pub(super) fn untold(&self) -> [u64; OWN_STAGES.len()] {
        self.own.map(|it| it.untold.map_or(0, |lost| lost.count))
    }

    /// What of the kernel's losses was told.
    pub(super) fn kernel_told(&self) -> &[u64; KERNEL_STAGES.len()] {
        &self.kernel_told
    }

    /// All that the reader lost since it began.
    pub(super) fn sums(&self) -> Vec<Loss> {
        let sums = self.own.iter().zip(OWN_STAGES);
        sums.filter_map(|(own, stage)| own.sum.map(|lost| books::loss(stage, lost)))
            .collect()
    }
}
