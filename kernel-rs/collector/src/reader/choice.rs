//! Which samples of a chunk become the next batch.

use std::sync::Arc;

use super::filter::Filters;
use crate::{
    encode::{self, Batch, Redactor, cache::Key},
    log::{SessionLog, chunk::Chunk},
    proto::Encoding,
    scope::Redaction,
};

/// A batch out of a part of a chunk.
pub(super) struct Choice {
    pub(super) batch: Arc<Batch>,
    /// Samples looked at.
    pub(super) looked_at: u64,
    /// Of those, such as the reader may know of.
    pub(super) visible: u64,
    /// Of those, left out by a filter.
    pub(super) filtered: u64,
    /// Of those, left out by thinning.
    pub(super) thinned: u64,
}

/// Chooses for one reader.
#[derive(Debug)]
pub(super) struct Chooser {
    /// What the reader may know of; `None` = everything.
    sight: Option<Filters>,
    filters: Filters,
    redactor: Redactor,
    encoding: Encoding,
    bytes_max: usize,
    /// Wanted samples so far: thinning keeps every n-th of them.
    wanted: u64,
}

impl Chooser {
    pub(super) fn new(
        sight: Option<Filters>,
        filters: Filters,
        redaction: Redaction,
        encoding: Encoding,
        bytes_max: usize,
    ) -> Self {
        Self {
            sight,
            filters,
            redactor: Redactor::new(redaction),
            encoding,
            bytes_max,
            wanted: 0,
        }
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(super) fn redaction(&self) -> Redaction {
        self.redactor.redaction()
    }

    /// Takes every sample that the reader may know of.
    pub(super) fn takes_all(&self) -> bool {
        self.filters.is_empty()
    }

    /// All from a position on, as other readers at the same place get them.
    pub(super) fn shared(
        &mut self,
        chunk: &Chunk,
        from: usize,
        to: usize,
        log: &SessionLog,
    ) -> Choice {
        let key = Key {
            first_index: chunk.first_index + from as u64,
            encoding: self.encoding,
            bytes_max: self.bytes_max,
            redaction: self.redactor.redaction(),
        };
        let end_index = chunk.first_index + to as u64;
        let batch = log
            .cache()
            .get(key, end_index, || self.encode(chunk, &(from..to), 0));
        Choice {
            looked_at: batch.taken as u64,
            visible: batch.taken as u64,
            batch,
            filtered: 0,
            thinned: 0,
        }
    }

    /// Those that the filters leave, every `weight`-th of them, and at most `most`; of all samples if the reader `sees_all`.
    pub(super) fn own(
        &mut self,
        chunk: &Chunk,
        from: usize,
        to: usize,
        weight: u64,
        most: u64,
        sees_all: bool,
    ) -> Choice {
        let sight = self.sight.as_mut().filter(|_| !sees_all);
        let visible = sight.map(|it| it.select(chunk, from..to));
        let wanted = match &visible {
            None => self.filters.select(chunk, from..to),
            Some(visible) => self.filters.select(chunk, visible.iter().copied()),
        };
        let before = self.wanted;
        let picks = (0..wanted.len()).filter(|at| (before + *at as u64).is_multiple_of(weight));
        let picks = picks
            .take(most.try_into().unwrap_or(usize::MAX))
            .collect::<Vec<_>>();
        let batch = if picks.is_empty() {
            Batch::default()
        } else {
            let positions = picks.iter().map(|at| wanted[*at]);
            self.encode(chunk, &positions, weight as u32)
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
        let visible = visible.map_or(next - from, |it| it.partition_point(|at| *at < next));
        Choice {
            looked_at: (next - from) as u64,
            visible: visible as u64,
            filtered: (visible - matched) as u64,
            thinned: (matched - batch.taken) as u64,
            batch: Arc::new(batch),
        }
    }

    fn encode(
        &mut self,
        chunk: &Chunk,
        positions: &(impl ExactSizeIterator<Item = usize> + Clone),
        weight: u32,
    ) -> Batch {
        let (encoding, bytes_max) = (self.encoding, self.bytes_max);
        if self.redactor.redaction().is_none() {
            encode::batch(chunk, positions, encoding, weight, bytes_max)
        } else {
            let view = self.redactor.view(chunk);
            encode::batch(&view, positions, encoding, weight, bytes_max)
        }
    }
}
