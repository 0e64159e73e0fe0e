//! Keeps the oldest unread samples of one reader (`DROP_NEWEST`) when the history gives them up.

use std::{collections::VecDeque, sync::Arc};

use super::chunk::Chunk;

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

    /// The history gives up a chunk.
    pub(super) fn offer(&mut self, chunk: &Arc<Chunk>) {
        if chunk.end_index() <= self.position {
            return;
        }
        self.full = self.full || self.bytes + chunk.bytes() as u64 > self.bytes_max;
        if !self.full {
            self.bytes += chunk.bytes() as u64;
            self.chunks.push_back(chunk.clone());
        }
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
