//! What a reader of histograms does next: a state machine without a clock, a thread or a kernel of its own.

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use tokio::time::Instant;

use super::{batch::Batch, request::Request};
use crate::{
    books,
    histogram::counts::Counts,
    proto::{
        End, EndReason, Heartbeat, SessionChange, SessionSpec, Start, StreamHistogramsResponse,
        Totals, stream_histograms_response::Event,
    },
    reader::pace::next_multiple,
    scope::Redaction,
    spec::time,
};

/// An idle stream says so this often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send an encoded `StreamHistogramsResponse`.
    Send(Vec<u8>),
    /// Hand over what the session has counted, read at or after then.
    Read { not_before: Instant },
    /// Look again when something happens to the session, at the latest then.
    Wait { until: Instant },
    /// `End` was sent, or the reader was closed.
    Done,
}

/// What the state needs from outside, at one moment.
pub(super) struct Moment<'a> {
    pub(super) now: Instant,
    /// Why the session's counts will not change any more.
    pub(super) over: Option<EndReason>,
    /// The session's change of such a number.
    pub(super) change: &'a dyn Fn(usize) -> Option<SessionChange>,
    pub(super) effective_spec: &'a dyn Fn() -> SessionSpec,
    pub(super) redaction: Redaction,
    pub(super) session_totals: &'a dyn Fn() -> Totals,
}

/// The interval that the end of a stream cuts short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Unread,
    Read,
    /// The session counts what may not be told.
    Withheld,
}

/// One reader of a session's histograms.
#[derive(Debug)]
pub(super) struct State {
    request: Request,
    node: String,
    session: String,
    /// When the session began: intervals of all its readers end at multiples of theirs from then, so that they share readings.
    grid: Instant,
    beginning: Arc<Counts>,
    /// What was counted by here is sent, or in `batch`; `None` while the stream's beginning is not read yet.
    told: Option<Arc<Counts>>,
    batch: Option<Batch>,
    /// When the interval ends.
    due: Instant,
    last_message: Instant,
    changes_seen: usize,
    delivered: u64,
    started: bool,
    ending: Option<EndReason>,
    last: Last,
    finished: bool,
}

impl State {
    /// From the beginning of the session on, or from when it is first asked.
    pub(super) fn new(
        request: Request,
        (node, session): (&str, &str),
        grid: Instant,
        beginning: Arc<Counts>,
        changes_seen: usize,
        from_beginning: bool,
    ) -> Self {
        let told = (from_beginning || request.cumulative).then(|| beginning.clone());
        let now = Instant::now();
        Self {
            due: next_multiple(grid, request.interval, now),
            request,
            node: node.into(),
            session: session.into(),
            grid,
            beginning,
            told,
            batch: None,
            last_message: now,
            changes_seen,
            delivered: 0,
            started: false,
            ending: None,
            last: Last::Unread,
            finished: false,
        }
    }

    /// The next messages are the interval so far and `End`.
    pub(super) fn end(&mut self, reason: EndReason) {
        self.ending.get_or_insert(reason);
    }

    /// The next message is `End`: what was counted since the last may not be told any more.
    pub(super) fn revoke(&mut self) {
        self.ending = Some(EndReason::AccessRevoked);
        self.batch = None;
        self.last = Last::Withheld;
    }

    pub(super) fn close(&mut self) {
        self.finished = true;
    }

    /// The reader's side of the books: the latencies in the histograms it was sent.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            delivered: self.delivered,
            ..Totals::default()
        }
    }

    /// What to do now.
    pub(super) fn step(&mut self, moment: &Moment<'_>) -> Step {
        let now = moment.now;
        if self.finished {
            return Step::Done;
        }
        if self.told.is_none() && self.last != Last::Withheld {
            return Step::Read { not_before: now };
        }
        if !self.started {
            self.started = true;
            let start = Start {
                effective_spec: Some((moment.effective_spec)()),
                redacted_fields: moment.redaction.fields(),
                redaction: moment.redaction.message(),
                ..Start::default()
            };
            return self.send(now, Event::Start(start));
        }
        if let Some(batch) = &mut self.batch {
            let message = batch.next(&self.request.shape);
            if !message.more {
                self.batch = None;
            }
            return self.send(now, Event::Batch(message));
        }
        if let Some(change) = (moment.change)(self.changes_seen) {
            self.changes_seen += 1;
            return self.send(now, Event::SessionChange(change));
        }
        if let Some(reason) = self.ending.or(moment.over) {
            return self.finish(reason, moment);
        }
        if now >= self.due {
            return Step::Read {
                not_before: self.last_due(now),
            };
        }
        let beat = self.last_message + HEARTBEAT;
        if now >= beat {
            let watermark = self.told.as_ref().map(|it| it.moment.unix_ns);
            let heartbeat = Heartbeat {
                watermark: watermark.map(time::timestamp),
                queued_bytes: 0,
            };
            return self.send(now, Event::Heartbeat(heartbeat));
        }
        Step::Wait {
            until: self.due.min(beat),
        }
    }

    /// Takes what [`Step::Read`] asked for.
    pub(super) fn take(&mut self, counts: &Arc<Counts>, now: Instant) {
        self.due = next_multiple(self.grid, self.request.interval, now);
        let Some(earlier) = self.told.replace(counts.clone()) else {
            return;
        };
        if Arc::ptr_eq(&earlier, counts) {
            return;
        }
        let Request {
            cumulative,
            max_groups,
            shape,
            ..
        } = &self.request;
        let (start, rows, totals) = if *cumulative {
            (&self.beginning, counts.rows(), counts.totals.clone())
        } else {
            let totals = books::since(&counts.totals, &earlier.totals);
            (&earlier, counts.since(&earlier), totals)
        };
        let counted = rows.iter().map(|it| it.1.count()).sum::<u64>();
        self.delivered = if *cumulative {
            counted
        } else {
            self.delivered + counted
        };
        self.batch = Some(Batch::new(
            start.moment.unix_ns,
            counts.moment.unix_ns,
            shape.apply(rows, *max_groups),
            totals,
        ));
    }

    /// When the latest interval ended that is over now: a reading since then serves everyone who waited for it.
    fn last_due(&self, now: Instant) -> Instant {
        next_multiple(self.grid, self.request.interval, now)
            .checked_sub(self.request.interval)
            .unwrap_or(now)
    }

    fn finish(&mut self, reason: EndReason, moment: &Moment<'_>) -> Step {
        if self.last == Last::Unread {
            self.last = Last::Read;
            return Step::Read {
                not_before: moment.now,
            };
        }
        self.finished = true;
        let end = End {
            reason: reason as i32,
            totals: Some(self.totals()),
            session_totals: (self.last != Last::Withheld).then(|| (moment.session_totals)()),
        };
        self.send(moment.now, Event::End(end))
    }

    fn send(&mut self, now: Instant, event: Event) -> Step {
        self.last_message = now;
        let message = StreamHistogramsResponse {
            node: self.node.clone(),
            session: self.session.clone(),
            event: Some(event),
        };
        Step::Send(message.encode_to_vec())
    }
}
