//! One reader of a session: everything `StreamSamples` promises.

mod busy;
mod choice;
mod cursor;
mod filter;
mod losses;
mod outbox;
pub(crate) mod pace;
mod request;
mod state;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

pub(crate) use busy::Busy;
#[cfg(test)]
pub(crate) use filter::Filters;
use request::Of;
use state::{Moment, Past, State, Step};

use crate::{
    failure::Failure,
    log::SessionLog,
    metric,
    proto::{EndReason, StreamSamplesRequest, Totals, stream_samples_request},
    scope::Scope,
    session::Session,
    spec::{
        self,
        compiled::{Clause, Limits},
    },
};

/// A position in a session's log, and what its client asked for.
#[derive(Debug)]
pub struct Reader {
    session: Arc<Session>,
    state: Mutex<State>,
    notify: Arc<Notify>,
    shares: bool,
    busy: AtomicBool,
    left: AtomicBool,
}

impl Reader {
    /// Begins to read a session, for whom it may be read and as far; `node` and `name` are the names that its messages carry.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with a violation for each wrong field of the request, `REDACTION_DENIED`; `CLOSED`.
    pub fn open(
        session: Arc<Session>,
        request: &StreamSamplesRequest,
        (node, name): (&str, &str),
        scope: &Scope,
    ) -> Result<Self, Failure> {
        session.check_open()?;
        let log = session.log();
        let of = Of {
            node,
            epoch: session.epoch(),
            log,
            metrics: session.metrics(),
        };
        let request = request::check(request, &of, scope)?;
        let born = (session.epoch(), session.opened_at());
        let state = State::new((node, name), born, request, log, &*session);
        let shares = state.shares();
        if shares {
            log.cache().join();
        }
        let notify = Arc::new(Notify::new());
        log.wake_at(u64::MAX, &notify);
        session.subscribe();
        Ok(Self {
            session,
            state: Mutex::new(state),
            notify,
            shares,
            busy: AtomicBool::new(false),
            left: AtomicBool::new(false),
        })
    }

    /// Checks the request of a stream whose session is yet to be made.
    ///
    /// # Errors
    /// As [`Reader::open`]; a cursor cannot be of such a session.
    pub fn check(request: &StreamSamplesRequest, node: &str, scope: &Scope) -> Result<(), Failure> {
        const NO_EPOCH: u64 = 0;
        let metrics = match &request.source {
            Some(stream_samples_request::Source::Spec(spec)) => spec::metrics_of(&spec.probes),
            _ => metric::all(),
        };
        let log = SessionLog::new(&Limits {
            duration_ns: None,
            max_samples: None,
            idle_timeout_ns: 0,
            retain_ns: 0,
            history_bytes: 0,
        });
        let of = Of {
            node,
            epoch: NO_EPOCH,
            log: &log,
            metrics,
        };
        request::check(request, &of, scope).map(drop)
    }

    /// Waits for the next message: one encoded `StreamSamplesResponse`, or `None` after `End` or [`Reader::close`].
    ///
    /// # Errors
    /// `NEXT_CONCURRENT` while another call has not answered; `READER_TOO_SLOW` under the policy `DISCONNECT`.
    pub async fn next(&self) -> Result<Option<Vec<u8>>, Failure> {
        let _busy = Busy::take(&self.busy)?;
        loop {
            match self.step()? {
                Step::Send(message) => return Ok(Some(message)),
                Step::Done => {
                    // It may have begun to wait while it was being closed.
                    self.session.log().forget(&self.notify);
                    return Ok(None);
                }
                Step::Again => tokio::task::yield_now().await,
                Step::Wait { index, until } => {
                    self.session.log().wake_at(index, &self.notify);
                    // Whether it was the log or the clock, the next step sees what there is to do.
                    let _ = timeout_at(until, self.notify.notified()).await;
                }
            }
        }
    }

    fn step(&self) -> Result<Step, Failure> {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.step_at(
            Instant::now(),
            unix.as_nanos().try_into().unwrap_or(u64::MAX),
        )
    }

    fn step_at(&self, now: Instant, unix_ns: u64) -> Result<Step, Failure> {
        self.state.lock().step(&Moment {
            now,
            unix_ns,
            log: self.session.log(),
            effective_spec: &|| self.session.effective_spec(),
            session_totals: &|| self.session.totals(),
            past: &*self.session,
        })
    }

    /// The next message is `End`, for this reason; losses that were not told come before it.
    pub fn end(&self, reason: EndReason) {
        self.state.lock().end(reason);
        self.notify.notify_one();
    }

    /// Samples sent so far.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.state.lock().delivered()
    }

    /// The reader's side of the books so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.state.lock().totals()
    }

    /// Ends reading; a pending [`Reader::next`] answers `None` at once. Idempotent.
    pub fn close(&self) {
        self.state.lock().close();
        self.notify.notify_one();
        self.leave();
    }

    /// The session does not wait for this reader any more: at once when it closes, not when its last handle is collected.
    fn leave(&self) {
        if self.left.swap(true, Ordering::AcqRel) {
            return;
        }
        let log = self.session.log();
        log.forget(&self.notify);
        if self.shares {
            log.cache().leave();
        }
        self.session.unsubscribe();
    }
}

impl Past for Session {
    fn generation(&self) -> u64 {
        self.filter_generation()
    }

    fn is_held_by(&self, targets: &[Clause]) -> bool {
        self.is_within(targets)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests;
