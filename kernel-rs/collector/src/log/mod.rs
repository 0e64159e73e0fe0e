//! The session log: samples in the order they were read out of the kernel, bounded in bytes.
//!
//! It is every reader's queue at once: a reader is a position in it, and a slow one loses its own samples only.

mod builder;
pub(crate) mod chunk;
pub(crate) mod history;
mod keeper;
pub(crate) mod loss;

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use chunk::Chunk;
use history::History;
pub(crate) use keeper::Keeper;
use loss::{KERNEL_STAGES, Lost, StageLosses};

use crate::{
    clock,
    encode::cache::Cache,
    proto::{EndReason, LossStage, SessionChange, SessionState, StopReason},
    sample::Sample,
    spec::compiled::Limits,
};

/// What a session measured, for its readers.
#[derive(Debug)]
pub struct SessionLog {
    inner: Mutex<Inner>,
    /// How far each reader of the kernel is.
    sources: Mutex<Vec<Source>>,
    queue_bytes: u64,
    cache: Cache,
}

#[derive(Debug)]
struct Inner {
    history: History,
    max_samples: Option<u64>,
    /// Read out of the kernel beyond `max_samples`.
    beyond_limit: u64,
    losses: [StageLosses; KERNEL_STAGES.len()],
    changes: Vec<SessionChange>,
    end: Option<EndReason>,
    closed: bool,
    waiters: Vec<Waiter>,
    keepers: Vec<Weak<Mutex<Keeper>>>,
}

/// Someone who wants to hear when the log has come to an index.
#[derive(Debug)]
struct Waiter {
    index: u64,
    notify: Arc<Notify>,
}

/// A reader of the kernel's rings that writes the log.
#[derive(Clone, Copy, Debug)]
struct Source {
    id: u64,
    watermark_unix_ns: u64,
    quiet: bool,
}

/// What a reader at one position sees of the log.
#[derive(Debug)]
pub(crate) struct View {
    /// First sample that is there.
    pub(crate) oldest_index: u64,
    /// The next sample to come.
    pub(crate) next_index: u64,
    /// Latest end event of the samples before `oldest_index`; 0 if none is gone.
    pub(crate) gone_unix_ns: u64,
    /// The chunk that holds the reader's position, where the history has it.
    pub(crate) chunk: Option<Arc<Chunk>>,
    /// No more samples will come.
    pub(crate) end: Option<EndReason>,
    /// The samples are gone.
    pub(crate) closed: bool,
    /// The first change that the reader has not seen.
    pub(crate) change: Option<SessionChange>,
    /// What each of [`KERNEL_STAGES`] lost since the reader was told.
    pub(crate) losses: [Option<Lost>; KERNEL_STAGES.len()],
}

impl SessionLog {
    /// An empty log within the limits of a session.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self::with_queue(limits, history::QUEUE_BYTES)
    }

    /// A log that keeps so many bytes for readers that follow, however small its history.
    pub(crate) fn with_queue(limits: &Limits, queue_bytes: u64) -> Self {
        Self {
            inner: Mutex::new(Inner {
                history: History::new(limits.history_bytes, queue_bytes),
                max_samples: limits.max_samples,
                beyond_limit: 0,
                losses: Default::default(),
                changes: Vec::new(),
                end: None,
                closed: false,
                waiters: Vec::new(),
                keepers: Vec::new(),
            }),
            sources: Mutex::default(),
            queue_bytes,
            cache: Cache::default(),
        }
    }

    /// Appends a batch under one lock. Samples beyond `limits.max_samples` are counted and dropped.
    pub fn append<'a>(&self, samples: impl Iterator<Item = Sample<'a>>) {
        let mut inner = self.inner.lock();
        let Inner {
            history,
            max_samples,
            beyond_limit,
            keepers,
            closed,
            ..
        } = &mut *inner;
        let most = max_samples.unwrap_or(u64::MAX);
        let before = history.next_index();
        for sample in samples {
            if history.next_index() >= most || *closed {
                *beyond_limit += 1;
                continue;
            }
            history.push(&sample, |chunk| {
                for keeper in keepers.iter().filter_map(Weak::upgrade) {
                    keeper.lock().offer(&chunk);
                }
            });
        }
        let after = history.next_index();
        if before < most && after >= most {
            inner.limit_reached();
        }
        inner.wake_due();
    }

    /// Tells readers of `count` samples lost in the kernel between two times (wall clock, nanoseconds since 1970).
    ///
    /// # Panics
    /// If `stage` is not one of the kernel's.
    pub fn loss(&self, stage: LossStage, count: u64, first_unix_ns: u64, last_unix_ns: u64) {
        let stage = KERNEL_STAGES
            .iter()
            .position(|it| *it == stage)
            .expect("a stage of the kernel");
        if count > 0 {
            let inner = &mut *self.inner.lock();
            inner.losses[stage].add(
                inner.history.next_index(),
                Lost {
                    count,
                    first_unix_ns,
                    last_unix_ns,
                },
            );
        }
    }

    /// Nothing that ended before this time (wall clock, nanoseconds since 1970) is still to come from a source.
    pub fn set_watermark(&self, source: u64, unix_ns: u64) {
        self.source(source, |it| {
            it.watermark_unix_ns = it.watermark_unix_ns.max(unix_ns);
        });
    }

    /// A source sleeps until the kernel has something: what it has not been woken for did not happen.
    pub fn set_quiet(&self, source: u64, quiet: bool) {
        self.source(source, |it| it.quiet = quiet);
    }

    /// Nothing will come from a source any more.
    pub(crate) fn forget_source(&self, source: u64) {
        self.sources.lock().retain(|it| it.id != source);
    }

    fn source(&self, id: u64, change: impl FnOnce(&mut Source)) {
        let mut sources = self.sources.lock();
        if let Some(source) = sources.iter_mut().find(|it| it.id == id) {
            change(source);
        } else {
            let mut source = Source {
                id,
                watermark_unix_ns: 0,
                quiet: false,
            };
            change(&mut source);
            sources.push(source);
        }
    }

    /// Nothing that ended before is still to come from any source; 0 = not known. While one sleeps it follows the clock, as far
    /// behind as a wake-up may take.
    pub(crate) fn watermark(&self) -> u64 {
        const WAKE_UP_NS: u64 = 100_000_000;
        let followed = clock::wall_ns().saturating_sub(WAKE_UP_NS);
        let sources = self.sources.lock();
        let of = |source: &Source| match *source {
            Source {
                quiet: true,
                watermark_unix_ns: told @ 1..,
                ..
            } => told.max(followed),
            Source {
                watermark_unix_ns, ..
            } => watermark_unix_ns,
        };
        sources.iter().map(of).min().unwrap_or(0)
    }

    /// Samples appended so far; the index of the next one.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.inner.lock().history.next_index()
    }

    /// Samples that came after `limits.max_samples`.
    pub(crate) fn beyond_limit(&self) -> u64 {
        self.inner.lock().beyond_limit
    }

    /// Takes over new limits; a smaller history shrinks with the next samples.
    pub(crate) fn set_limits(&self, limits: &Limits) {
        let mut inner = self.inner.lock();
        inner.history.set_history_bytes(limits.history_bytes);
        inner.max_samples = limits.max_samples;
        let reached = |most| inner.history.next_index() >= most;
        if limits.max_samples.is_some_and(reached) && inner.end.is_none() {
            inner.limit_reached();
        }
    }

    /// Tells readers that the session changed.
    pub(crate) fn change(&self, state: SessionState, reason: &str) {
        self.inner.lock().change(state, reason);
    }

    /// Changes so far.
    pub(crate) fn changes(&self) -> usize {
        self.inner.lock().changes.len()
    }

    /// A change by its number, from 0; `None` while it has not happened.
    pub(crate) fn nth_change(&self, number: usize) -> Option<SessionChange> {
        self.inner.lock().changes.get(number).cloned()
    }

    /// No more samples will come: readers read to the end and hear why.
    pub(crate) fn end(&self, reason: EndReason) {
        let mut inner = self.inner.lock();
        inner.end.get_or_insert(reason);
        inner.wake_all();
    }

    /// Why no more will come, once that is so.
    pub(crate) fn over(&self) -> Option<EndReason> {
        let inner = self.inner.lock();
        if inner.closed {
            Some(EndReason::SessionDeleted)
        } else {
            inner.end
        }
    }

    /// Gives the samples up.
    pub(crate) fn close(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner.history.clear();
        inner.wake_all();
        drop(inner);
        self.cache.clear();
    }

    /// Where a new reader may begin: the oldest sample a client may replay, and the next one.
    pub(crate) fn replayable(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.history.replay_index(), inner.history.next_index())
    }

    /// Index of the first sample that ended at or after a time.
    pub(crate) fn index_since(&self, unix_ns: u64) -> u64 {
        self.inner.lock().history.index_since(unix_ns)
    }

    /// Bytes of the samples from an index on.
    pub(crate) fn bytes_from(&self, index: u64) -> u64 {
        self.inner.lock().history.bytes_from(index)
    }

    /// Bytes of everything kept.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.inner.lock().history.bytes()
    }

    /// What the stages of the kernel had lost before a sample.
    pub(crate) fn losses_before(&self, index: u64) -> [u64; KERNEL_STAGES.len()] {
        self.inner
            .lock()
            .losses
            .each_ref()
            .map(|it| it.sum_before(index))
    }

    /// What readers that follow may be behind, at least.
    pub(crate) fn queue_bytes(&self) -> u64 {
        self.queue_bytes
    }

    /// Encoded messages that several readers want.
    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Keeps what the history gives up, for as long as the keeper lives. Returns the first sample that it has not given up by now.
    pub(crate) fn keep(&self, keeper: &Arc<Mutex<Keeper>>) -> u64 {
        let mut inner = self.inner.lock();
        inner.keepers.retain(|it| it.strong_count() > 0);
        inner.keepers.push(Arc::downgrade(keeper));
        inner.history.oldest_index()
    }

    /// All that a reader wants to know, under one lock.
    pub(crate) fn view(
        &self,
        index: u64,
        changes_seen: usize,
        told: &[u64; KERNEL_STAGES.len()],
    ) -> View {
        let inner = self.inner.lock();
        let mut losses = [None; KERNEL_STAGES.len()];
        for ((loss, stage), told) in losses.iter_mut().zip(&inner.losses).zip(told) {
            *loss = stage.since(*told);
        }
        View {
            oldest_index: inner.history.oldest_index(),
            next_index: inner.history.next_index(),
            gone_unix_ns: inner.history.gone_unix_ns(),
            chunk: inner.history.chunk(index),
            end: inner.end,
            closed: inner.closed,
            change: inner.changes.get(changes_seen).cloned(),
            losses,
        }
    }

    /// Notifies once the next index is at least `index`, and whatever else happens to the log.
    pub(crate) fn wake_at(&self, index: u64, notify: &Arc<Notify>) {
        let mut inner = self.inner.lock();
        if inner.history.next_index() >= index {
            notify.notify_one();
        }
        match inner
            .waiters
            .iter_mut()
            .find(|it| Arc::ptr_eq(&it.notify, notify))
        {
            Some(waiter) => waiter.index = index,
            None => inner.waiters.push(Waiter {
                index,
                notify: notify.clone(),
            }),
        }
    }

    /// No more notifications.
    pub(crate) fn forget(&self, notify: &Arc<Notify>) {
        self.inner
            .lock()
            .waiters
            .retain(|it| !Arc::ptr_eq(&it.notify, notify));
    }
}

impl Inner {
    fn limit_reached(&mut self) {
        self.change(SessionState::Stopped, StopReason::MaxSamples.as_str_name());
    }

    /// A session stops once, for the first reason.
    fn change(&mut self, state: SessionState, reason: &str) {
        let stopped = |it: &SessionChange| it.state == SessionState::Stopped as i32;
        if self.changes.last().is_some_and(stopped) {
            return;
        }
        self.changes.push(SessionChange {
            state: state as i32,
            reason: reason.into(),
        });
        self.wake_all();
    }

    /// A waiter that was notified asks again when it wants to hear of more.
    fn wake_due(&mut self) {
        let next_index = self.history.next_index();
        for waiter in self.waiters.iter_mut().filter(|it| it.index <= next_index) {
            waiter.index = u64::MAX;
            waiter.notify.notify_one();
        }
    }

    fn wake_all(&mut self) {
        for waiter in &self.waiters {
            waiter.notify.notify_one();
        }
    }
}
