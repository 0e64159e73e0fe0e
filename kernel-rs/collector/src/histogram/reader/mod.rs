//! One reader of a session's histograms: everything `StreamHistograms` promises.

mod batch;
mod request;
mod state;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    task,
    time::{Instant, timeout_at},
};

use state::{Moment, State, Step};

use crate::{
    failure::{Failure, Reason},
    proto::{Collection, EndReason, StreamHistogramsRequest, Totals, stream_histograms_request},
    reader::Busy,
    scope::{self, Redaction, Scope},
    session::Session,
    spec::{self, Bounds, compiled::Clause, violations::Violations},
};

/// Of a session that is yet to be made: whether its metrics have its keys is checked then.
const NO_METRIC: u32 = 0;

/// What a client was told of a session's histograms, and how it wants them.
#[derive(Debug)]
pub struct HistogramReader {
    shared: Arc<Shared>,
    busy: AtomicBool,
    left: AtomicBool,
}

#[derive(Debug)]
struct Shared {
    session: Arc<Session>,
    state: Mutex<State>,
    notify: Arc<Notify>,
    redaction: Redaction,
    /// What may be counted; `None` = everything.
    targets: Option<Vec<Clause>>,
    /// Of the session's filters, as they were found to be within the targets.
    generation: AtomicU64,
}

impl HistogramReader {
    /// Begins to read a session; `node` and `name` are the names that its messages carry. A session made for the stream, and
    /// one that has stopped, are read from their beginning; any other from now on.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with a violation for each wrong field of the request; `TARGET_DENIED` where it counts more than may be
    /// seen, `REDACTION_DENIED` for groups that are finer; `CLOSED`.
    pub fn open(
        session: Arc<Session>,
        request: &StreamHistogramsRequest,
        (node, name): (&str, &str),
        scope: &Scope,
    ) -> Result<Self, Failure> {
        session.check_open()?;
        let redaction = scope.redaction;
        let checked = request::check(request, &session.collection(), node, redaction)?;
        let targets = scope.targets.clone();
        let generation = session.filter_generation();
        if targets.as_ref().is_some_and(|it| !session.is_within(it)) {
            return Err(scope::histograms_denied());
        }
        let log = session.log();
        let own = matches!(
            request.source,
            Some(stream_histograms_request::Source::Spec(_))
        );
        let state = State::new(
            checked,
            (node, name),
            session.opened_at(),
            session.store().beginning().clone(),
            log.changes(),
            own || log.over().is_some(),
        );
        let notify = Arc::new(Notify::new());
        log.wake_at(u64::MAX, &notify);
        session.subscribe();
        Ok(Self {
            shared: Arc::new(Shared {
                session,
                state: Mutex::new(state),
                notify,
                redaction,
                targets,
                generation: AtomicU64::new(generation),
            }),
            busy: AtomicBool::new(false),
            left: AtomicBool::new(false),
        })
    }

    /// Checks the request of a stream whose session is yet to be made; its spec is not looked at but for its groups.
    ///
    /// # Errors
    /// As [`HistogramReader::open`].
    pub fn check(
        request: &StreamHistogramsRequest,
        node: &str,
        scope: &Scope,
    ) -> Result<(), Failure> {
        let collection = match &request.source {
            Some(stream_histograms_request::Source::Spec(spec)) => spec.collection.as_ref(),
            _ => None,
        };
        // What is wrong with it is told when the session is made.
        let collection = spec::collection::compile(
            collection.unwrap_or(&Collection::default()),
            NO_METRIC,
            &Bounds::default(),
            "",
            &mut Violations::default(),
        );
        request::check(request, &collection, node, scope.redaction).map(drop)
    }

    /// Waits for the next message: one encoded `StreamHistogramsResponse`, or `None` after `End` or
    /// [`HistogramReader::close`].
    ///
    /// # Errors
    /// `NEXT_CONCURRENT` while another call has not answered; `KERNEL_ERROR`.
    pub async fn next(&self) -> Result<Option<Vec<u8>>, Failure> {
        let _busy = Busy::take(&self.busy)?;
        loop {
            match self.shared.step_at(Instant::now()) {
                Step::Send(message) => return Ok(Some(message)),
                Step::Done => return Ok(None),
                Step::Read { not_before } => {
                    let shared = self.shared.clone();
                    task::spawn_blocking(move || shared.read(not_before, Instant::now()))
                        .await
                        .map_err(|panic| Failure::new(Reason::Internal, panic.to_string()))??;
                }
                Step::Wait { until } => {
                    // Whether it was the session or the clock, the next step sees what there is to do.
                    let _ = timeout_at(until, self.shared.notify.notified()).await;
                }
            }
        }
    }

    /// The next messages are the interval so far and `End`, for this reason.
    pub fn end(&self, reason: EndReason) {
        self.shared.state.lock().end(reason);
        self.shared.notify.notify_one();
    }

    /// The reader's side of the books so far: the latencies in the histograms it was sent.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shared.state.lock().totals()
    }

    /// Ends reading; a pending [`HistogramReader::next`] answers `None` at once. Idempotent.
    pub fn close(&self) {
        self.shared.state.lock().close();
        self.shared.notify.notify_one();
        self.leave();
    }

    fn leave(&self) {
        if self.left.swap(true, Ordering::AcqRel) {
            return;
        }
        let Shared {
            session, notify, ..
        } = &*self.shared;
        session.log().forget(notify);
        session.unsubscribe();
    }
}

impl Drop for HistogramReader {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Shared {
    fn step_at(&self, now: Instant) -> Step {
        let session = &self.session;
        if !self.is_allowed() {
            self.state.lock().revoke();
        }
        self.state.lock().step(&Moment {
            now,
            over: session.log().over(),
            change: &|number| session.log().nth_change(number),
            effective_spec: &|| self.redaction.spec(&session.effective_spec()),
            redaction: self.redaction,
            session_totals: &|| session.totals(),
        })
    }

    /// Whether all that the session counts may still be told.
    fn is_allowed(&self) -> bool {
        let Some(targets) = &self.targets else {
            return true;
        };
        let generation = self.session.filter_generation();
        if self.generation.swap(generation, Ordering::AcqRel) == generation {
            return true;
        }
        self.session.is_within(targets)
    }

    /// Reads the kernel, which may take a while.
    fn read(&self, not_before: Instant, now: Instant) -> Result<(), Failure> {
        let counts = self.session.counts(not_before)?;
        if !self.is_allowed() {
            self.state.lock().revoke();
            return Ok(());
        }
        self.state.lock().take(&counts, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
