//! The chunks that are kept, the oldest given up when they are too many bytes.

use std::{collections::VecDeque, sync::Arc};

use super::{builder::Builder, chunk::Chunk};
use crate::sample::Sample;

/// Bytes kept for readers that follow, however little history a session keeps.
pub(crate) const QUEUE_BYTES: u64 = 1 << 20;
/// Bounds of a chunk's size: a chunk is the grain of eviction.
const CHUNK_BYTES: (u64, u64) = (4 << 10, 256 << 10);
/// So many chunks make up a history, at least.
const CHUNKS: u64 = 8;
/// Most marks of the times of what is gone.
const MARKS_MAX: usize = 1024;

/// Where a sample that is gone was in time: every sample before `index` ended at or before `latest_ns`.
#[derive(Clone, Copy, Debug)]
struct Mark {
    index: u64,
    latest_ns: u64,
}

/// Samples in the order of their indexes.
#[derive(Debug)]
pub(super) struct History {
    sealed: VecDeque<Arc<Chunk>>,
    open: Builder,
    /// What a client may replay.
    replay_bytes: u64,
    /// What is kept for readers that follow, however small the history.
    queue_bytes: u64,
    marks: Vec<Mark>,
}

impl History {
    pub(super) fn new(history_bytes: u64, queue_bytes: u64) -> Self {
        Self {
            sealed: VecDeque::new(),
            open: Builder::new(chunk_bytes(history_bytes)),
            replay_bytes: history_bytes,
            queue_bytes,
            marks: Vec::new(),
        }
    }

    /// Index of the next sample.
    pub(super) fn next_index(&self) -> u64 {
        self.open.chunk().end_index()
    }

    /// Index of the first sample that is still there.
    pub(super) fn oldest_index(&self) -> u64 {
        self.sealed.front().unwrap_or(self.open.chunk()).first_index
    }

    /// Index of the first sample that a new reader may begin with.
    pub(super) fn replay_index(&self) -> u64 {
        if self.replay_bytes == 0 {
            return self.next_index();
        }
        let end = self.end_bytes();
        let first = self
            .sealed
            .partition_point(|it| end - it.bytes_before > self.replay_bytes);
        self.sealed
            .get(first)
            .unwrap_or(self.open.chunk())
            .first_index
    }

    /// Index of the first sample that ended at or after a time; where that is gone, an index below which all ended earlier.
    pub(super) fn index_since(&self, unix_ns: u64) -> u64 {
        let gone = self.marks.partition_point(|it| it.latest_ns < unix_ns);
        if gone < self.marks.len() {
            return gone.checked_sub(1).map_or(0, |last| self.marks[last].index);
        }
        let chunks = self.sealed.iter().chain([self.open.chunk()]);
        for chunk in chunks.filter(|it| it.latest_ns >= unix_ns) {
            if let Some(at) = chunk.times.iter().position(|it| *it >= unix_ns) {
                return chunk.first_index + at as u64;
            }
        }
        self.next_index()
    }

    /// Latest end event of what is gone; 0 if nothing is.
    pub(super) fn gone_unix_ns(&self) -> u64 {
        self.marks.last().map_or(0, |it| it.latest_ns)
    }

    /// The chunk that holds a sample which is there.
    pub(super) fn chunk(&self, index: u64) -> Option<Arc<Chunk>> {
        if index < self.oldest_index() || index >= self.next_index() {
            return None;
        }
        let at = self.sealed.partition_point(|it| it.end_index() <= index);
        Some(self.sealed.get(at).unwrap_or(self.open.chunk()).clone())
    }

    /// Bytes of the samples from an index on.
    pub(super) fn bytes_from(&self, index: u64) -> u64 {
        let Some(chunk) = self.chunk(index.max(self.oldest_index())) else {
            return 0;
        };
        let read = index.saturating_sub(chunk.first_index) * chunk.bytes() as u64
            / chunk.len().max(1) as u64;
        self.end_bytes() - chunk.bytes_before - read
    }

    /// Bytes of everything kept.
    pub(super) fn bytes(&self) -> u64 {
        self.end_bytes()
            - self
                .sealed
                .front()
                .unwrap_or(self.open.chunk())
                .bytes_before
    }

    pub(super) fn set_history_bytes(&mut self, history_bytes: u64) {
        self.replay_bytes = history_bytes;
        self.open.set_bytes_max(chunk_bytes(history_bytes));
    }

    /// Adds a sample; `evicted` is told of each chunk that is given up for it.
    pub(super) fn push(&mut self, sample: &Sample<'_>, evicted: impl FnMut(Arc<Chunk>)) {
        if self.open.is_full() {
            let chunk = self.open.seal();
            self.sealed.push_back(chunk);
            self.evict(evicted);
        }
        self.open.push(sample);
    }

    /// Gives everything up; indexes go on.
    pub(super) fn clear(&mut self) {
        self.open.seal();
        self.sealed.clear();
    }

    fn evict(&mut self, mut evicted: impl FnMut(Arc<Chunk>)) {
        let bound = self.replay_bytes.max(self.queue_bytes);
        while self.bytes() > bound {
            let Some(chunk) = self.sealed.pop_front() else {
                break;
            };
            self.mark(&chunk);
            evicted(chunk);
        }
    }

    fn mark(&mut self, chunk: &Chunk) {
        let latest_ns = self
            .marks
            .last()
            .map_or(0, |it| it.latest_ns)
            .max(chunk.latest_ns);
        self.marks.push(Mark {
            index: chunk.end_index(),
            latest_ns,
        });
        if self.marks.len() > MARKS_MAX {
            let mut odd = false;
            self.marks.retain(|_| {
                odd = !odd;
                odd
            });
        }
    }

    fn end_bytes(&self) -> u64 {
        self.open.chunk().bytes_before + self.open.chunk().bytes() as u64
    }
}

fn chunk_bytes(history_bytes: u64) -> usize {
    (history_bytes / CHUNKS).clamp(CHUNK_BYTES.0, CHUNK_BYTES.1) as usize
}
