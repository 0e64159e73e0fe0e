//! A tracing session: what engines attached for it, its log, its readers.

mod seen;

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{
    books,
    engine::{Attachment, Engine},
    failure::{Failure, Reason},
    footprint,
    histogram::{
        Histogram,
        counts::Counts,
        snapshot,
        store::{Reading, Store},
    },
    log::SessionLog,
    metric::{self, EngineKind},
    program,
    proto::{
        Capability, EndReason, GetSnapshotRequest, GetSnapshotResponse, Group, ProbeStatus,
        SessionChange, SessionSpec, SessionState, SessionStats, Totals,
    },
    scope::Scope,
    spec::{
        self, Checked,
        compiled::{Clause, Collection},
    },
    statistics, verifier,
};

/// A session from its start on. Engines write its log, readers read it.
pub struct Session {
    log: Arc<SessionLog>,
    epoch: u64,
    opened_at: Instant,
    inner: Mutex<Inner>,
    store: Store,
    filters: seen::Seen,
    readers: AtomicU32,
    changes_told: AtomicUsize,
    changed: Arc<Notify>,
    closed: AtomicBool,
    refusals: Vec<Failure>,
}

struct Inner {
    /// As the client asked.
    asked: Checked,
    /// In force: the same, thinned.
    spec: Checked,
    /// Individual samples a second and CPU that the host grants at the moment.
    thinned: Option<u32>,
    attachments: Vec<Box<dyn Attachment>>,
    /// Probes whose engine could not attach.
    unattached: Vec<ProbeStatus>,
    /// While it is attached the kernel counts what its programs cost.
    statistics: Option<statistics::Hold>,
    stopped: bool,
}

impl Inner {
    fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure> {
        let mut all = Vec::new();
        for attachment in &self.attachments {
            all.extend(attachment.histograms()?);
        }
        Ok(all)
    }

    /// Brings a spec into force; where that fails the old one stays.
    fn apply(&mut self, spec: Checked) -> Result<(), Failure> {
        if self.stopped {
            return Err(Failure::new(Reason::Closed, "the session is stopped"));
        }
        let Self {
            attachments,
            spec: old,
            ..
        } = self;
        for at in 0..attachments.len() {
            if let Err(failure) = attachments[at].update(&spec.compiled) {
                for attachment in &mut attachments[..at] {
                    attachment.update(&old.compiled)?;
                }
                return Err(failure);
            }
        }
        *old = spec;
        Ok(())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Session")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Attaches what a spec asks for, each probe by its engine. Where the host has no way to measure for one of them, the
    /// others do; [`Session::probes`] says which.
    ///
    /// # Errors
    /// Those of the engines: what is refused whatever the host, else the first if none could attach. Nothing stays attached
    /// then.
    pub fn start<'a>(
        engines: impl IntoIterator<Item = (EngineKind, &'a dyn Engine)>,
        spec: Checked,
    ) -> Result<Arc<Self>, Failure> {
        let log = SessionLog::new(&spec.compiled.limits);
        Self::start_with(engines, spec, log)
    }

    /// As [`Session::start`], into a given log.
    pub(crate) fn start_with<'a>(
        engines: impl IntoIterator<Item = (EngineKind, &'a dyn Engine)>,
        spec: Checked,
        log: SessionLog,
    ) -> Result<Arc<Self>, Failure> {
        let log = Arc::new(log);
        let statistics = spec.bounds.count_runs.then(statistics::hold).flatten();
        let store = Store::new();
        let mut attachments = Vec::<Box<dyn Attachment>>::new();
        let mut refused = Vec::new();
        for (kind, engine) in engines {
            match engine.start(&spec.compiled, log.clone()) {
                Ok(attachment) => attachments.push(attachment),
                Err(failure) if failure.reason().is_of_host() => refused.push((kind, failure)),
                Err(failure) => {
                    for attachment in &mut attachments {
                        attachment.stop();
                    }
                    return Err(failure);
                }
            }
        }
        let unattached = unattached(&refused, &spec);
        let refusals: Vec<Failure> = refused.into_iter().map(|it| it.1).collect();
        if attachments.is_empty()
            && let Some(failure) = refusals.first()
        {
            return Err(failure.clone());
        }
        let changed = Arc::new(Notify::new());
        log.wake_at(u64::MAX, &changed);
        let filters = seen::Seen::of(&spec.compiled);
        Ok(Arc::new(Self {
            log,
            // A hasher of the standard library is seeded at random.
            epoch: RandomState::new().hash_one(0),
            opened_at: Instant::now(),
            inner: Mutex::new(Inner {
                asked: spec.clone(),
                spec,
                thinned: None,
                attachments,
                unattached,
                statistics,
                stopped: false,
            }),
            store,
            filters,
            readers: AtomicU32::new(0),
            changes_told: AtomicUsize::new(0),
            changed,
            closed: AtomicBool::new(false),
            refusals,
        }))
    }

    /// Why engines could not attach their part of it, with what is for the service's own log.
    #[must_use]
    pub fn refusals(&self) -> &[Failure] {
        &self.refusals
    }

    /// The spec with defaults filled in.
    #[must_use]
    pub fn effective_spec(&self) -> SessionSpec {
        self.inner.lock().spec.effective.clone()
    }

    /// Each probe's fate, and the state that follows from it: `RUNNING`, or `DEGRADED` with the first probe that failed and why.
    #[must_use]
    pub fn probes(&self) -> (Vec<ProbeStatus>, SessionState, String) {
        let inner = self.inner.lock();
        let mut statuses = inner
            .attachments
            .iter()
            .flat_map(|it| it.probes())
            .chain(inner.unattached.iter().cloned())
            .collect::<Vec<_>>();
        statuses.sort_by_key(|it| it.probe);
        let failed = statuses.iter().find(|it| !it.attached);
        let reason = failed.map(|it| {
            let why = it.capability.as_ref().map_or("", |it| &it.reason);
            format!("spec.probes[{}]: {why}", it.probe)
        });
        let state = if reason.is_some() {
            SessionState::Degraded
        } else {
            SessionState::Running
        };
        (statuses, state, reason.unwrap_or_default())
    }

    /// The session's side of the books.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals_of(&self.inner.lock())
    }

    fn totals_of(&self, inner: &Inner) -> Totals {
        let engines = inner.attachments.iter().map(|it| it.totals());
        let engines = engines.collect::<Vec<_>>();
        books::session(engines, self.log.next_index(), self.log.beyond_limit())
    }

    /// Everything that its engines counted since the start, by group; see [`Attachment::histograms`].
    ///
    /// # Errors
    /// `KERNEL_ERROR`.
    pub fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure> {
        self.inner.lock().histograms()
    }

    /// Everything counted by now, as read at or after a time; once stopped, what it came to.
    ///
    /// # Errors
    /// Those of [`Attachment::histograms`].
    pub(crate) fn counts(&self, not_before: Instant) -> Result<Arc<Counts>, Failure> {
        self.store.counts(not_before, || self.reading())
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Keeps what was counted since the last call, for questions about the last minutes. `false` once there is no more to keep.
    ///
    /// # Errors
    /// As [`Session::counts`].
    pub(crate) fn remember(&self) -> Result<bool, Failure> {
        if self.inner.lock().stopped {
            return Ok(false);
        }
        self.store.remember(|| self.reading())?;
        Ok(true)
    }

    fn reading(&self) -> Result<Reading, Failure> {
        let inner = self.inner.lock();
        let totals = self.totals_of(&inner);
        let groups = inner.histograms()?;
        let counted = groups.iter().map(|(_, it)| it.count()).sum();
        let cpus = aya::util::nr_cpus().unwrap_or(1) as u64;
        Ok(Reading {
            totals: books::as_of(counted, cpus, totals, || self.totals_of(&inner)),
            groups,
            max_groups: inner.spec.compiled.collection.max_groups as usize,
        })
    }

    /// Quantiles, top groups, statistics, for whom they may be told; `node` is the name that the host goes by.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with a violation for each wrong field of the request; `TARGET_DENIED` where it counts more than may be
    /// seen, `REDACTION_DENIED` for groups that are finer; `CLOSED`; `KERNEL_ERROR`.
    pub fn snapshot(
        &self,
        request: &GetSnapshotRequest,
        node: &str,
        scope: &Scope,
    ) -> Result<GetSnapshotResponse, Failure> {
        snapshot::answer(self, request, node, scope)
    }

    /// What becomes of its latencies, keys of groups among it.
    pub(crate) fn collection(&self) -> Collection {
        self.inner.lock().spec.compiled.collection.clone()
    }

    /// Bit n is `Metric` n.
    pub(crate) fn metrics(&self) -> u32 {
        self.inner.lock().spec.compiled.metrics()
    }

    /// Whether nothing that it ever measured is outside all of these targets, as far as its filters tell.
    #[must_use]
    pub fn is_within(&self, targets: &[Clause]) -> bool {
        self.filters.are_within(targets)
    }

    /// Rises whenever its filters change, before anything is measured by the new ones.
    pub(crate) fn filter_generation(&self) -> u64 {
        self.filters.generation()
    }

    /// Totals, programs without bytecode and verifier's log, kernel memory, readers.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn stats(&self) -> Result<SessionStats, Failure> {
        self.check_open()?;
        let totals = Some(self.totals());
        let inner = self.inner.lock();
        let programs = inner
            .attachments
            .iter()
            .flat_map(|it| it.programs())
            .collect::<Vec<_>>();
        Ok(SessionStats {
            totals,
            programs,
            kernel_memory_bytes: inner
                .attachments
                .iter()
                .map(|it| it.kernel_memory_bytes())
                .sum(),
            subscribers: self.readers.load(Ordering::Relaxed),
        })
    }

    /// The maps that serve it, each with the bytes of kernel memory that it takes. Other sessions may use them too.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn maps(&self) -> Result<HashMap<u32, u64>, Failure> {
        let programs = self.stats()?.programs;
        let all = footprint::objects().maps;
        let ids = programs
            .iter()
            .flat_map(|it| program::map_ids(it.program_id));
        Ok(ids
            .filter_map(|id| Some((id, all.get(&id)?.memory_bytes)))
            .collect())
    }

    /// As [`Session::stats`], with the programs' bytecode and what the verifier said of them.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn full_stats(&self) -> Result<SessionStats, Failure> {
        let mut stats = self.stats()?;
        for it in &mut stats.programs {
            it.bytecode = program::bytecode(it.program_id).unwrap_or_default();
            it.verifier_log = verifier::log(&it.name, it.program_id).unwrap_or_default();
        }
        Ok(stats)
    }

    /// Takes over filters, exclude, collection and limits.
    ///
    /// # Errors
    /// Those of [`spec::check_within`], `INVALID_ARGUMENT` where a field is fixed at creation, those of the engines; the old spec
    /// stays in force then.
    pub fn update(&self, spec: &SessionSpec) -> Result<SessionSpec, Failure> {
        self.check_open()?;
        let mut inner = self.inner.lock();
        let asked = spec::check_within(spec, inner.spec.bounds)?;
        asked.check_update_of(&inner.spec.compiled)?;
        let thinned = asked.clone().thinned(inner.thinned);
        if !inner.stopped {
            self.filters.add(&asked.compiled);
        }
        inner.apply(thinned)?;
        self.log.set_limits(&asked.compiled.limits);
        inner.asked = asked;
        Ok(inner.spec.effective.clone())
    }

    /// Grants at most so many individual samples a second and CPU from now on, whatever was or will be asked for; `None` takes
    /// that back. Readers hear of it as a change, with this reason. Returns the spec in force.
    ///
    /// # Errors
    /// Those of the engines; what held before stays in force then. `CLOSED`, also once it is stopped.
    pub fn thin(
        &self,
        samples_per_second: Option<u32>,
        reason: &str,
    ) -> Result<SessionSpec, Failure> {
        self.check_open()?;
        let mut inner = self.inner.lock();
        let thinned = inner.asked.clone().thinned(samples_per_second);
        inner.apply(thinned)?;
        inner.thinned = samples_per_second;
        let effective = inner.spec.effective.clone();
        drop(inner);
        let (_, state, _) = self.probes();
        self.log.change(state, reason);
        Ok(effective)
    }

    /// Waits for the next change of state; `None` once the session is closed.
    pub async fn next_change(&self) -> Option<SessionChange> {
        loop {
            let number = self.changes_told.load(Ordering::Relaxed);
            if let Some(change) = self.log.nth_change(number) {
                self.changes_told.store(number + 1, Ordering::Relaxed);
                return Some(change);
            }
            if self.closed.load(Ordering::Acquire) {
                return None;
            }
            self.changed.notified().await;
        }
    }

    /// Detaches. Readers read what there is, then hear `reason`; the log stays readable. Idempotent.
    pub fn stop(&self, reason: EndReason) {
        self.stop_because(reason, reason.as_str_name());
    }

    /// As [`Session::stop`]; the change that readers hear of says why.
    pub fn stop_because(&self, reason: EndReason, why: &str) {
        let mut inner = self.inner.lock();
        if std::mem::replace(&mut inner.stopped, true) {
            return;
        }
        for attachment in &mut inner.attachments {
            attachment.stop();
        }
        inner.statistics = None;
        drop(inner);
        // Where the kernel fails, whoever asks hears it.
        let _ = self.store.finish(|| self.reading());
        let state = if reason == EndReason::SessionFailed {
            SessionState::Failed
        } else {
            SessionState::Stopped
        };
        self.log.change(state, why);
        self.log.end(reason);
    }

    /// From now on whoever asks hears `CLOSED`; what is attached stays so until [`Session::close`].
    pub fn begin_close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Stops, and gives the samples up: readers hear `SESSION_DELETED`. Idempotent.
    pub fn close(&self) {
        self.begin_close();
        self.stop(EndReason::SessionDeleted);
        self.log.close();
        self.store.clear(self.readers.load(Ordering::Relaxed) > 0);
        footprint::give_back();
    }

    /// # Errors
    /// `CLOSED`.
    pub(crate) fn check_open(&self) -> Result<(), Failure> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::new(Reason::Closed, "the session is closed"));
        }
        Ok(())
    }

    pub(crate) fn log(&self) -> &Arc<SessionLog> {
        &self.log
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn opened_at(&self) -> Instant {
        self.opened_at
    }

    pub(crate) fn subscribe(&self) {
        self.readers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unsubscribe(&self) {
        self.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The status of each probe whose engine could not attach.
fn unattached(refused: &[(EngineKind, Failure)], spec: &Checked) -> Vec<ProbeStatus> {
    let mut statuses = Vec::new();
    for (kind, failure) in refused {
        for probe in &spec.compiled.probes {
            if let Some(row) = metric::rows(probe.metrics).find(|row| row.engine == *kind) {
                statuses.push(ProbeStatus {
                    probe: probe.index,
                    capability: Some(Capability {
                        metric: row.metric.into(),
                        reason: failure.message().into(),
                        ..Capability::default()
                    }),
                    ..ProbeStatus::default()
                });
            }
        }
    }
    statuses
}

#[cfg(test)]
mod tests;
