//! What one reader has not read when the history gives it up: the oldest of it is kept (`DROP_NEWEST`), and of the rest is counted
//! what the reader may know of.

use std::{collections::VecDeque, fmt, ops::Range, sync::Arc};

use super::chunk::Chunk;

/// How many samples at these positions of a chunk a reader may know of.
type Count = Box<dyn FnMut(&Chunk, Range<usize>) -> u64 + Send>;

/// Chunks that the history no longer has.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    /// The reader's next index.
    position: u64,
    chunks: VecDeque<Arc<Chunk>>,
    bytes: u64,
    bytes_max: u64,
    /// A chunk was let go: until the kept ones are read, newer ones are let go too.
    full: bool,
    witness: Option<Witness>,
}

/// Looks at what is let go.
struct Witness {
    count: Count,
    /// Indexes let go since the reader was told.
    gone: Option<Range<u64>>,
    /// Of those, such as the reader may know of.
    missed: u64,
}

impl fmt::Debug for Witness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Witness")
            .field("gone", &self.gone)
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// Keeps so many bytes from an index on.
    pub(crate) fn at(position: u64, bytes_max: u64) -> Self {
        Self {
            position,
            bytes_max,
            ..Self::default()
        }
    }

    /// The same, for a reader that may not know of every sample: what is let go is counted.
    pub(crate) fn counting(self, count: Count) -> Self {
        Self {
            witness: Some(Witness {
                count,
                gone: None,
                missed: 0,
            }),
            ..self
        }
    }

    /// The history gives up a chunk.
    pub(super) fn offer(&mut self, chunk: &Arc<Chunk>) {
        if chunk.end_index() <= self.position {
            return;
        }
        self.full = self.full || self.bytes + chunk.bytes() as u64 > self.bytes_max;
        if !self.full {
            self.bytes += chunk.bytes() as u64;
            self.chunks.push_back(chunk.clone());
        } else if let Some(witness) = &mut self.witness {
            let from = self.position.max(chunk.first_index);
            let at = (from - chunk.first_index) as usize;
            witness.missed += (witness.count)(chunk, at..chunk.len());
            witness.gone.get_or_insert(from..from).end = chunk.end_index();
        }
    }

    /// The reader has read so many samples that it may know of, from its position up to an index in the same chunk: should the history
    /// have let that chunk go meanwhile, they are not missed.
    pub(crate) fn read(&mut self, position: u64, known: u64) {
        let old = std::mem::replace(&mut self.position, position);
        if let Some(Witness {
            gone: Some(gone),
            missed,
            ..
        }) = &mut self.witness
            && gone.contains(&old)
        {
            gone.start = position;
            *missed -= known;
        }
    }

    /// What was let go since the last call: the index behind it, and how many of it the reader may know of.
    pub(crate) fn take_gone(&mut self) -> Option<(u64, u64)> {
        let witness = self.witness.as_mut()?;
        let gone = witness.gone.take()?;
        Some((gone.end, std::mem::take(&mut witness.missed)))
    }

    /// The reader has come to an index; the kept chunk that holds it.
    pub(crate) fn advance(&mut self, position: u64) -> Option<Arc<Chunk>> {
        self.position = position;
        while let Some(chunk) = self.chunks.front() {
            if chunk.end_index() > position {
                return Some(chunk.clone());
            }
            self.bytes -= chunk.bytes() as u64;
            self.chunks.pop_front();
        }
        self.full = false;
        None
    }
}
