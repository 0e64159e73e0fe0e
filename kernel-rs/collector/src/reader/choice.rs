//! Which samples of a chunk become the next batch.

use std::sync::Arc;

use super::filter::Filters;
use crate::{
    encode::{self, Batch, cache::Key},
    log::{SessionLog, chunk::Chunk},
    proto::Encoding,
};

/// A batch out of a part of a chunk.
pub(super) struct Choice {
    pub(super) batch: Arc<Batch>,
    /// Samples looked at.
    pub(super) looked_at: u64,
    /// Of those, left out by a filter.
    pub(super) filtered: u64,
    /// Of those, left out by thinning.
    pub(super) thinned: u64,
}

/// Chooses for one reader.
#[derive(Debug)]
pub(super) struct Chooser {
    filters: Filters,
    encoding: Encoding,
    bytes_max: usize,
    /// Wanted samples so far: thinning keeps every n-th of them.
    wanted: u64,
}

impl Chooser {
    pub(super) fn new(filters: Filters, encoding: Encoding, bytes_max: usize) -> Self {
        Self {
            filters,
            encoding,
            bytes_max,
            wanted: 0,
        }
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Takes every sample.
    pub(super) fn takes_all(&self) -> bool {
        self.filters.is_empty()
    }

    /// All from a position on, as other readers at the same place get them.
    pub(super) fn shared(&self, chunk: &Chunk, from: usize, to: usize, log: &SessionLog) -> Choice {
        let Self {
            encoding,
            bytes_max,
            ..
        } = *self;
        let key = Key {
            first_index: chunk.first_index + from as u64,
            encoding,
            bytes_max,
        };
        let end_index = chunk.first_index + to as u64;
        let batch = log.cache().get(key, end_index, || {
            encode::batch(chunk, &(from..to), encoding, 0, bytes_max)
        });
        Choice {
            looked_at: batch.taken as u64,
            batch,
            filtered: 0,
            thinned: 0,
        }
    }

    /// Those that the filters leave, every `weight`-th of them, and at most `most`.
    pub(super) fn own(
        &mut self,
        chunk: &Chunk,
        from: usize,
        to: usize,
        weight: u64,
        most: u64,
    ) -> Choice {
        let wanted = self.filters.select(chunk, from, to);
        let before = self.wanted;
        let picks = (0..wanted.len()).filter(|at| (before + *at as u64).is_multiple_of(weight));
        let picks = picks
            .take(most.try_into().unwrap_or(usize::MAX))
            .collect::<Vec<_>>();
        let batch = if picks.is_empty() {
            Batch::default()
        } else {
            let positions = picks.iter().map(|at| wanted[*at]);
            encode::batch(
                chunk,
                &positions,
                self.encoding,
                weight as u32,
                self.bytes_max,
            )
        };
        // A batch that took all that was wanted ends with what was looked at, any other behind its last sample.
        let last = batch
            .taken
            .checked_sub(1)
            .filter(|_| batch.full || batch.taken as u64 == most);
        let (matched, next) = last.map_or((wanted.len(), to), |last| {
            (picks[last] + 1, wanted[picks[last]] + 1)
        });
        self.wanted += matched as u64;
        Choice {
            looked_at: (next - from) as u64,
            filtered: (next - from - matched) as u64,
            thinned: (matched - batch.taken) as u64,
            batch: Arc::new(batch),
        }
    }
}
