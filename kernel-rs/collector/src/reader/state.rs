//! What a reader does next: a state machine without a clock or a thread of its own.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    choice::{Choice, Chooser},
    losses::Losses,
    outbox::{Mark, Outbox},
    pace::Pace,
    request::{Options, Place, Request},
};
use crate::{
    encode,
    failure::{Failure, Reason},
    log::{Keeper, SessionLog, View, chunk::Chunk, loss::Lost},
    proto::{
        End, EndReason, Heartbeat, LossStage, OverflowPolicy, SessionSpec, Start, Totals,
        stream_samples_response::Event,
    },
    spec::time,
};

/// A sample can be read out of the kernel this long after its end event.
const READ_DELAY_NS: u64 = 1_000_000_000;
/// Most that the policy `SAMPLE` thins: one in so many.
const THIN_MAX: u64 = 1024;

/// What to do.
#[derive(Debug)]
pub(super) enum Step {
    /// Send an encoded `StreamSamplesResponse`.
    Send(Vec<u8>),
    /// Look again at once; a good moment to let others run.
    Again,
    /// Look again when the log has come to an index, at the latest then.
    Wait { index: u64, until: Instant },
    /// `End` was sent, or the reader was closed.
    Done,
}

/// One reader of a session's log.
#[derive(Debug)]
pub(super) struct State {
    options: Options,
    outbox: Outbox,
    chooser: Chooser,
    pace: Pace,
    losses: Losses,
    keeper: Option<Arc<Mutex<Keeper>>>,
    /// The next sample to look at.
    position: u64,
    /// The first sample that it may have.
    available: u64,
    /// History ends here for a reader that does not follow.
    stop_at: Option<u64>,
    changes_seen: usize,
    delivered: u64,
    filtered: u64,
    last_sample_unix_ns: u64,
    /// It came to the end of the log once: what it loses from then on, it loses by being slow.
    live: bool,
    started: bool,
    ending: Option<EndReason>,
    finished: bool,
}

/// What the state needs from outside, at one moment.
pub(super) struct Moment<'a> {
    pub(super) now: Instant,
    pub(super) unix_ns: u64,
    pub(super) log: &'a SessionLog,
    pub(super) effective_spec: &'a dyn Fn() -> SessionSpec,
    pub(super) session_totals: &'a dyn Fn() -> Totals,
}

impl State {
    /// `grid` is when the session began.
    pub(super) fn new(
        node: &str,
        session: &str,
        epoch: u64,
        request: Request,
        log: &SessionLog,
        grid: Instant,
    ) -> Self {
        let Request {
            start,
            filters,
            encoding,
            batch_bytes,
            batch_delay,
            options,
        } = request;
        let Place {
            index,
            available,
            untold,
            live,
        } = start;
        let keeper = (options.overflow == OverflowPolicy::DropNewest).then(|| {
            let keeper = Arc::new(Mutex::new(Keeper::at(index, log.queue_bytes())));
            log.keep(&keeper);
            keeper
        });
        Self {
            outbox: Outbox::new(node, session, epoch, index - untold.iter().sum::<u64>()),
            chooser: Chooser::new(filters, encoding, batch_bytes),
            pace: Pace::new(grid, batch_delay, batch_bytes, encoding),
            losses: Losses::new(untold, log.losses_before(index)),
            keeper,
            position: index,
            available,
            stop_at: options.no_follow.then(|| log.next_index()),
            changes_seen: log.changes(),
            delivered: 0,
            filtered: 0,
            last_sample_unix_ns: 0,
            live,
            started: false,
            ending: None,
            finished: false,
            options,
        }
    }

    /// Takes every sample as it is, so that its batches may be another's too.
    pub(super) fn shares(&self) -> bool {
        self.chooser.takes_all() && self.options.max_samples.is_none()
    }

    /// The next message is `End`, after losses that were not told.
    pub(super) fn end(&mut self, reason: EndReason) {
        self.ending.get_or_insert(reason);
    }

    pub(super) fn close(&mut self) {
        self.finished = true;
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The reader's side of the books.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            delivered: self.delivered,
            filtered: self.filtered,
            losses: self.losses.sums(),
            ..Totals::default()
        }
    }

    /// What to do now.
    ///
    /// # Errors
    /// `READER_TOO_SLOW` under the policy `DISCONNECT`; after it nothing more comes.
    pub(super) fn step(&mut self, moment: &Moment<'_>) -> Result<Step, Failure> {
        if self.finished {
            return Ok(Step::Done);
        }
        if !self.started {
            self.started = true;
            return Ok(self.send(moment.now, Event::Start(self.start(moment))));
        }
        let view = moment
            .log
            .view(self.position, self.changes_seen, self.losses.kernel_told());
        if view.closed {
            self.end(EndReason::SessionDeleted);
        }
        if let Some(step) = self.tell_loss(&view, moment.now) {
            return Ok(step);
        }
        if let Some(reason) = self.ending {
            return Ok(self.finish(reason, moment));
        }
        if let Some(change) = view.change {
            self.changes_seen += 1;
            return Ok(self.send(moment.now, Event::SessionChange(change)));
        }
        if self
            .options
            .max_samples
            .is_some_and(|most| self.delivered >= most)
        {
            self.end(EndReason::ReaderLimit);
            return Ok(Step::Again);
        }
        self.read(&view, moment)
    }

    fn read(&mut self, view: &View, moment: &Moment<'_>) -> Result<Step, Failure> {
        if self.position < self.available {
            return Ok(self.skip_to(self.available, LossStage::HistoryEvicted, view.gone_unix_ns));
        }
        self.refuse_if_too_slow(view, moment.log)?;
        let end = self.stop_at.unwrap_or(u64::MAX).min(view.next_index);
        let kept = self
            .keeper
            .as_ref()
            .and_then(|it| it.lock().advance(self.position));
        let oldest_index = kept
            .as_ref()
            .map_or(view.oldest_index, |it| it.first_index)
            .min(end);
        if self.position < oldest_index {
            let stage = if self.live {
                LossStage::SubscriberQueue
            } else {
                LossStage::HistoryEvicted
            };
            return Ok(self.skip_to(oldest_index, stage, view.gone_unix_ns));
        }
        let chunk = kept
            .as_ref()
            .or(view.chunk.as_ref())
            .filter(|_| self.position < end);
        let Some(chunk) = chunk else {
            return Ok(self.at_the_end(view, moment));
        };
        let over = |until: u64| chunk.earliest_ns > until.saturating_add(READ_DELAY_NS);
        if self.options.until_unix_ns.is_some_and(over) {
            self.end(EndReason::ReaderLimit);
            return Ok(Step::Again);
        }
        let end = end.min(chunk.end_index());
        let more_may_join = end == view.next_index && view.end.is_none() && self.stop_at.is_none();
        if more_may_join
            && let Some((wanted, due)) = self.pace.wait(end - self.position, moment.now)
        {
            let until = self.losses.next_due().map_or(due, |at| at.min(due));
            return Ok(Step::Wait {
                index: self.position + wanted,
                until,
            });
        }
        Ok(self.send_batch(chunk, end, kept.is_none(), moment))
    }

    fn send_batch(&mut self, chunk: &Chunk, end: u64, in_log: bool, moment: &Moment<'_>) -> Step {
        let from = (self.position - chunk.first_index) as usize;
        let to = (end - chunk.first_index) as usize;
        let weight = self.thin_to(moment.log);
        let Choice {
            batch,
            looked_at,
            filtered,
            thinned,
        } = if self.shares() && weight == 1 && in_log {
            self.chooser.shared(chunk, from, to, moment.log)
        } else {
            let most = self
                .options
                .max_samples
                .map_or(u64::MAX, |most| most - self.delivered);
            self.chooser.own(chunk, from, to, weight, most)
        };
        self.pace.looked_at(looked_at, batch.payload.len());
        self.position += looked_at;
        self.last_sample_unix_ns = chunk.times[from + looked_at as usize - 1];
        let thinned = Lost {
            count: thinned,
            first_unix_ns: chunk.times[from],
            last_unix_ns: self.last_sample_unix_ns,
        };
        self.losses.add(LossStage::SubscriberSampled, thinned);
        self.filtered += filtered;
        self.outbox.add_filtered(filtered);
        if batch.taken == 0 {
            return if moment.now >= self.outbox.heartbeat_at() {
                self.send_heartbeat(moment)
            } else {
                Step::Again
            };
        }
        let taken = batch.taken as u64;
        self.delivered += taken;
        let field = encode::payload_field(self.chooser.encoding());
        Step::Send(
            self.outbox
                .samples(moment.now, self.mark(), taken, field, &batch.payload),
        )
    }

    /// One in how many samples a reader with the policy `SAMPLE` gets, by how far it is behind.
    fn thin_to(&self, log: &SessionLog) -> u64 {
        if self.options.overflow != OverflowPolicy::Sample || !self.live {
            return 1;
        }
        let behind = log.bytes_from(self.position) / (log.queue_bytes() / 4);
        if behind < 2 {
            1
        } else {
            behind.next_power_of_two().min(THIN_MAX)
        }
    }

    fn refuse_if_too_slow(&mut self, view: &View, log: &SessionLog) -> Result<(), Failure> {
        let most = log.queue_bytes() / 2;
        let in_time =
            || self.position >= view.oldest_index && log.bytes_from(self.position) <= most;
        if self.options.overflow != OverflowPolicy::Disconnect || !self.live || in_time() {
            return Ok(());
        }
        self.finished = true;
        let behind = view.next_index - self.position;
        let message = format!("the reader is {behind} samples behind; resume with the cursor");
        Err(Failure::new(Reason::ReaderTooSlow, message)
            .with_metadata("cursor", self.outbox.cursor(self.mark()))
            .with_quota(
                "reader",
                format!("at most {most} bytes may wait to be read"),
            ))
    }

    fn skip_to(&mut self, index: u64, stage: LossStage, last_unix_ns: u64) -> Step {
        let count = index - self.position;
        let first_unix_ns = self.last_sample_unix_ns.min(last_unix_ns);
        self.losses.add(
            stage,
            Lost {
                count,
                first_unix_ns,
                last_unix_ns,
            },
        );
        self.position = index;
        Step::Again
    }

    fn at_the_end(&mut self, view: &View, moment: &Moment<'_>) -> Step {
        self.live |= self.position == view.next_index;
        self.pace.rest();
        let over = if self.stop_at.is_some_and(|it| self.position >= it) {
            Some(EndReason::EndOfHistory)
        } else if self
            .options
            .until_unix_ns
            .is_some_and(|it| has_passed(it, moment))
        {
            Some(EndReason::ReaderLimit)
        } else {
            view.end
        };
        if let Some(reason) = over {
            self.end(reason);
            return Step::Again;
        }
        let beat = self.outbox.heartbeat_at();
        if moment.now >= beat {
            return self.send_heartbeat(moment);
        }
        let until = self
            .options
            .until_unix_ns
            .and_then(|it| passes_at(it, moment));
        let until = [self.losses.next_due(), until]
            .into_iter()
            .flatten()
            .fold(beat, Instant::min);
        Step::Wait {
            index: self.position + 1,
            until,
        }
    }

    /// A loss whose time has come; before `End` that is now.
    fn tell_loss(&mut self, view: &View, now: Instant) -> Option<Step> {
        let due = self.losses.due(&view.losses, now, self.ending.is_some())?;
        Some(Step::Send(self.outbox.event(
            now,
            self.mark(),
            due.indexes,
            Event::Loss(due.loss),
        )))
    }

    fn finish(&mut self, reason: EndReason, moment: &Moment<'_>) -> Step {
        self.finished = true;
        let end = End {
            reason: reason as i32,
            totals: Some(self.totals()),
            session_totals: Some((moment.session_totals)()),
        };
        self.send(moment.now, Event::End(end))
    }

    fn start(&self, moment: &Moment<'_>) -> Start {
        Start {
            effective_spec: Some((moment.effective_spec)()),
            reader_filters: self.options.effective_filters.clone(),
            redacted_fields: None,
            overflow: self.options.overflow as i32,
            encoding: self.chooser.encoding() as i32,
        }
    }

    fn send_heartbeat(&mut self, moment: &Moment<'_>) -> Step {
        let watermark = Some(moment.log.watermark())
            .filter(|it| *it > 0)
            .map(time::timestamp);
        let queued_bytes = moment.log.bytes_from(self.position);
        self.send(
            moment.now,
            Event::Heartbeat(Heartbeat {
                watermark,
                queued_bytes,
            }),
        )
    }

    fn send(&mut self, now: Instant, event: Event) -> Step {
        Step::Send(self.outbox.event(now, self.mark(), 0, event))
    }

    fn mark(&self) -> Mark {
        Mark {
            position: self.position,
            untold: self.losses.untold(),
        }
    }
}

/// Nothing that ended by `until` is still to come.
fn has_passed(until: u64, moment: &Moment<'_>) -> bool {
    moment.log.watermark() > until || moment.unix_ns > until.saturating_add(READ_DELAY_NS)
}

/// When that is so by the clock alone.
fn passes_at(until: u64, moment: &Moment<'_>) -> Option<Instant> {
    let left = until
        .saturating_add(READ_DELAY_NS + 1)
        .saturating_sub(moment.unix_ns);
    moment.now.checked_add(Duration::from_nanos(left))
}
