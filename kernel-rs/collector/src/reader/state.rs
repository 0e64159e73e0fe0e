//! What a reader does next: a state machine without a clock or a thread of its own.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    choice::{Choice, Chooser},
    filter::Filters,
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
    spec::{compiled::Clause, time},
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
    narrowing: Option<Narrowing>,
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

/// A reader's targets, and whether they leave anything out.
#[derive(Debug)]
struct Narrowing {
    targets: Vec<Clause>,
    /// Nothing that the session ever had is outside, at a generation of its filters.
    holds_all: Option<u64>,
}

/// What the filters of a session were so far.
pub(super) trait Past {
    /// Rises whenever they change, before anything is measured by the new ones.
    fn generation(&self) -> u64;
    /// Whether targets hold all that any of them let through.
    fn is_held_by(&self, targets: &[Clause]) -> bool;
}

impl Narrowing {
    fn new(targets: Vec<Clause>, past: &dyn Past) -> Self {
        let generation = past.generation();
        Self {
            holds_all: past.is_held_by(&targets).then_some(generation),
            targets,
        }
    }

    /// Whether something is left out of samples that are in the log by now.
    fn hides(&mut self, past: &dyn Past) -> bool {
        let Some(known) = self.holds_all else {
            return true;
        };
        let generation = past.generation();
        if known != generation {
            self.holds_all = past.is_held_by(&self.targets).then_some(generation);
        }
        self.holds_all.is_none()
    }
}

/// What the state needs from outside, at one moment.
pub(super) struct Moment<'a> {
    pub(super) now: Instant,
    pub(super) unix_ns: u64,
    pub(super) log: &'a SessionLog,
    pub(super) effective_spec: &'a dyn Fn() -> SessionSpec,
    pub(super) session_totals: &'a dyn Fn() -> Totals,
    pub(super) past: &'a dyn Past,
}

impl State {
    /// `epoch` and `grid` are the session's: its own and when it began; `names` those of the node and of the session.
    pub(super) fn new(
        names: (&str, &str),
        (epoch, grid): (u64, Instant),
        request: Request,
        log: &SessionLog,
        past: &dyn Past,
    ) -> Self {
        let Request {
            start,
            filters,
            targets,
            redaction,
            principal,
            encoding,
            batch_bytes,
            batch_delay,
            options,
        } = request;
        let Place {
            index,
            mut available,
            untold,
            live,
            ..
        } = start;
        let stop_at = options.no_follow.then(|| log.next_index());
        let narrowing = targets.map(|it| Narrowing::new(it, past));
        let sight = || {
            let mut targets = narrowing.as_ref()?.targets.clone();
            if targets.is_empty() {
                // To filters no clause is everything, to targets nothing.
                targets.push(Clause {
                    metrics: 0,
                    ..Clause::everything()
                });
            }
            Some(Filters::new(targets, Vec::new(), None))
        };
        let keeper = keeper(index, options.overflow, sight(), stop_at, log);
        let keeper = keeper.map(|it| {
            let keeper = Arc::new(Mutex::new(it));
            let oldest = log.keep(&keeper);
            if narrowing.is_some() && index < oldest {
                available = available.max(oldest);
            }
            keeper
        });
        Self {
            outbox: Outbox::new(names, &principal, epoch, &start, narrowing.is_some()),
            chooser: Chooser::new(sight(), filters, redaction, encoding, batch_bytes),
            pace: Pace::new(grid, batch_delay, batch_bytes, encoding),
            losses: Losses::new(untold, log.losses_before(index)),
            keeper,
            narrowing,
            position: index,
            available,
            stop_at,
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
        let hides = |it: &Narrowing| it.holds_all.is_none();
        self.chooser.takes_all()
            && self.options.max_samples.is_none()
            && !self.narrowing.as_ref().is_some_and(hides)
    }

    /// Whether authorization leaves out samples that are in the log by now.
    fn is_blind(&mut self, past: &dyn Past) -> bool {
        self.narrowing.as_mut().is_some_and(|it| it.hides(past))
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
        let blind = self.is_blind(moment.past);
        if let Some(step) = self.tell_loss(&view, moment.now, blind) {
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
            // Of what was gone before it came nobody knows what a narrowed reader would have seen.
            let count = if self.narrowing.is_some() {
                0
            } else {
                self.available - self.position
            };
            let to = (self.available, count);
            return Ok(self.skip_to(to, LossStage::HistoryEvicted, view.gone_unix_ns));
        }
        self.refuse_if_too_slow(view, moment)?;
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
            let gone = self.keeper.as_ref().and_then(|it| it.lock().take_gone());
            let to = gone.map_or((oldest_index, oldest_index - self.position), |gone| {
                (gone.0.min(end), gone.1)
            });
            return Ok(self.skip_to(to, stage, view.gone_unix_ns));
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
        let sees_all = !self.is_blind(moment.past);
        let Choice {
            batch,
            looked_at,
            visible,
            filtered,
            thinned,
        } = if self.shares() && weight == 1 && in_log {
            self.chooser.shared(chunk, from, to, moment.log)
        } else {
            let most = self
                .options
                .max_samples
                .map_or(u64::MAX, |most| most - self.delivered);
            self.chooser.own(chunk, from, to, weight, most, sees_all)
        };
        self.pace.looked_at(looked_at, batch.payload.len());
        self.position += looked_at;
        if let Some(keeper) = &self.keeper {
            keeper.lock().read(self.position, visible);
        }
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

    fn refuse_if_too_slow(&mut self, view: &View, moment: &Moment<'_>) -> Result<(), Failure> {
        let log = moment.log;
        let most = log.queue_bytes() / 2;
        let in_time =
            || self.position >= view.oldest_index && log.bytes_from(self.position) <= most;
        if self.options.overflow != OverflowPolicy::Disconnect || !self.live || in_time() {
            return Ok(());
        }
        self.finished = true;
        let message = if self.is_blind(moment.past) {
            "the reader is too far behind; resume with the cursor".into()
        } else {
            let behind = view.next_index - self.position;
            format!("the reader is {behind} samples behind; resume with the cursor")
        };
        Err(Failure::new(Reason::ReaderTooSlow, message)
            .with_metadata("cursor", self.outbox.cursor(self.mark()))
            .with_quota(
                "reader",
                format!("at most {most} bytes may wait to be read"),
            ))
    }

    /// A narrowed reader is told of a loss even if none of it is known to have been its own.
    fn skip_to(&mut self, (index, count): (u64, u64), stage: LossStage, last_unix_ns: u64) -> Step {
        let first_unix_ns = self.last_sample_unix_ns.min(last_unix_ns);
        self.losses.add_some(
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
    fn tell_loss(&mut self, view: &View, now: Instant, blind: bool) -> Option<Step> {
        let last = self.ending.is_some();
        let due = self.losses.due(&view.losses, now, last, blind)?;
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
            session_totals: (!self.is_blind(moment.past)).then(|| (moment.session_totals)()),
        };
        self.send(moment.now, Event::End(end))
    }

    fn start(&self, moment: &Moment<'_>) -> Start {
        let redaction = self.chooser.redaction();
        Start {
            effective_spec: Some(redaction.spec(&(moment.effective_spec)())),
            reader_filters: self.options.effective_filters.clone(),
            redacted_fields: redaction.fields(),
            redaction: redaction.message(),
            overflow: self.options.overflow as i32,
            encoding: self.chooser.encoding() as i32,
        }
    }

    fn send_heartbeat(&mut self, moment: &Moment<'_>) -> Step {
        let watermark = Some(moment.log.watermark())
            .filter(|it| *it > 0)
            .map(time::timestamp);
        let queued_bytes = if self.is_blind(moment.past) {
            0
        } else {
            moment.log.bytes_from(self.position)
        };
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

/// What a reader needs to have kept or counted when it is slow.
fn keeper(
    index: u64,
    overflow: OverflowPolicy,
    sight: Option<Filters>,
    stop_at: Option<u64>,
    log: &SessionLog,
) -> Option<Keeper> {
    let keeps = overflow == OverflowPolicy::DropNewest;
    let bytes = if keeps { log.queue_bytes() } else { 0 };
    match sight {
        None => keeps.then(|| Keeper::at(index, bytes)),
        Some(mut sight) => Some(Keeper::at(index, bytes).counting(Box::new(
            move |chunk, positions| {
                let end = stop_at.map_or(u64::MAX, |it| it.saturating_sub(chunk.first_index));
                let end = usize::try_from(end).unwrap_or(usize::MAX);
                sight.count(chunk, positions.start..positions.end.min(end))
            },
        ))),
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
