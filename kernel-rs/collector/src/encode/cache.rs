//! Encoded messages for every reader that wants the same.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::Batch;
use crate::{proto::Encoding, scope::Redaction};

/// Most bytes kept: a moment's messages, since readers that share are at the same place.
const BYTES_MAX: usize = 1 << 20;

/// Which batch: those readers agree who begin at the same sample, want the same encoding and size, and may see the same of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) first_index: u64,
    pub(crate) encoding: Encoding,
    pub(crate) bytes_max: usize,
    pub(crate) redaction: Redaction,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Samples up to here were there to encode.
    end_index: u64,
    batch: Arc<OnceLock<Arc<Batch>>>,
}

/// The latest batches, by what is in them.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Readers who take all samples, and so can share.
    sharers: usize,
    entries: FxHashMap<Key, Entry>,
    order: VecDeque<(Key, usize)>,
    bytes: usize,
    #[cfg(test)]
    hits: u64,
}

impl Cache {
    /// One more reader who can share.
    pub(crate) fn join(&self) {
        self.inner.lock().sharers += 1;
    }

    /// One less.
    pub(crate) fn leave(&self) {
        let mut inner = self.inner.lock();
        inner.sharers -= 1;
        if inner.sharers < 2 {
            inner.clear();
        }
    }

    /// The batch of a key out of samples up to `end_index`, encoded once however many ask at the same time.
    pub(crate) fn get(
        &self,
        key: Key,
        end_index: u64,
        encode: impl FnOnce() -> Batch,
    ) -> Arc<Batch> {
        let mut inner = self.inner.lock();
        if inner.sharers < 2 {
            drop(inner);
            return Arc::new(encode());
        }
        let known = inner.entries.get(&key).filter(|it| {
            // A batch that ended because it was full is the same however many samples came since.
            let fits = |batch: &Arc<Batch>| {
                batch.full && key.first_index + batch.taken as u64 <= end_index
            };
            it.end_index == end_index || it.batch.get().is_some_and(fits)
        });
        if let Some(entry) = known.cloned() {
            #[cfg(test)]
            {
                inner.hits += 1;
            }
            drop(inner);
            return entry.batch.get_or_init(|| Arc::new(encode())).clone();
        }
        let entry = Entry {
            end_index,
            batch: Arc::default(),
        };
        inner.entries.insert(key, entry.clone());
        drop(inner);
        let batch = entry.batch.get_or_init(|| Arc::new(encode())).clone();
        self.inner.lock().account(key, batch.payload.len());
        batch
    }

    /// Batches that another reader had encoded.
    #[cfg(test)]
    pub(crate) fn hits(&self) -> u64 {
        self.inner.lock().hits
    }

    /// Forgets every batch.
    pub(crate) fn clear(&self) {
        self.inner.lock().clear();
    }
}

impl Inner {
    fn account(&mut self, key: Key, bytes: usize) {
        self.bytes += bytes;
        self.order.push_back((key, bytes));
        while self.bytes > BYTES_MAX {
            let Some((key, bytes)) = self.order.pop_front() else {
                break;
            };
            self.bytes -= bytes;
            self.entries.remove(&key);
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
        self.bytes = 0;
    }
}
