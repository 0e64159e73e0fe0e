//! What a session counted when, for questions about its last minutes.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{runtime::Handle, task::spawn_blocking, time::sleep};

use super::{
    Histogram,
    counts::{self, Counts, Moment, Rows},
};
use crate::{proto::Group, session::Session};

/// How often a step is added.
const STEP: Duration = Duration::from_secs(5);
/// So many steps are kept as they are; older ones are put together.
const FINE_STEPS: usize = 60;
/// As long as older ones become.
const COARSE_STEP: Duration = Duration::from_secs(60);
/// So many of those are kept.
const COARSE_STEPS: usize = 55;
/// Most bytes of all together.
const BYTES_MAX: usize = 4 << 20;

/// Has a session remember what it counts, step by step, until it stops; only within a runtime.
pub(crate) fn keep(session: &Arc<Session>) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let session = Arc::downgrade(session);
    runtime.spawn(async move {
        loop {
            sleep(STEP).await;
            let Some(session) = session.upgrade() else {
                return;
            };
            // A step that the kernel refuses to tell is in the next one.
            if let Ok(Ok(false)) = spawn_blocking(move || session.remember()).await {
                return;
            }
        }
    });
}

/// Steps from some moment to the latest, without a gap.
#[derive(Debug)]
pub(crate) struct Past {
    steps: VecDeque<Step>,
    bytes: usize,
    bytes_max: usize,
    /// Where the steps end.
    latest: Arc<Counts>,
    /// A step was let go: they do not begin where the session does.
    forgot: bool,
}

#[derive(Debug)]
struct Step {
    start: Moment,
    end: Moment,
    rows: Rows,
    bytes: usize,
}

impl Step {
    fn new(start: Moment, end: Moment, rows: Rows) -> Self {
        let bytes = rows
            .iter()
            .map(|(_, it)| size_of::<(Arc<Group>, Histogram)>() + it.heap_bytes())
            .sum::<usize>()
            + size_of::<Self>();
        Self {
            start,
            end,
            rows,
            bytes,
        }
    }
}

impl Past {
    /// No step yet; `beginning` is the state that the first one follows.
    pub(crate) fn new(beginning: Arc<Counts>) -> Self {
        Self::within(beginning, BYTES_MAX)
    }

    fn within(beginning: Arc<Counts>, bytes_max: usize) -> Self {
        Self {
            steps: VecDeque::new(),
            bytes: 0,
            bytes_max,
            latest: beginning,
            forgot: false,
        }
    }

    /// Adds the step from the latest state to this one.
    pub(crate) fn add(&mut self, now: &Arc<Counts>) {
        let rows = now.since(&self.latest);
        self.push(Step::new(self.latest.moment, now.moment, rows), None);
        self.latest = now.clone();
        self.coarsen();
        while self.steps.len() > FINE_STEPS + COARSE_STEPS || self.bytes > self.bytes_max {
            let Some(gone) = self.steps.pop_front() else {
                break;
            };
            self.bytes -= gone.bytes;
            self.forgot = true;
        }
    }

    fn push(&mut self, step: Step, at: Option<usize>) {
        self.bytes += step.bytes;
        self.steps.insert(at.unwrap_or(self.steps.len()), step);
    }

    /// The step that has just left the fine ones joins the one before it, if both together are not too long.
    fn coarsen(&mut self) {
        let Some(at) = self.steps.len().checked_sub(FINE_STEPS + 1) else {
            return;
        };
        let joined = |it: &Step| self.steps[at].end.at - it.start.at <= COARSE_STEP;
        if at == 0 || !joined(&self.steps[at - 1]) {
            return;
        }
        let younger = self.steps.remove(at);
        let older = self.steps.remove(at - 1);
        let (Some(younger), Some(older)) = (younger, older) else {
            return;
        };
        self.bytes -= younger.bytes + older.bytes;
        let mut sum = older.rows.into_iter().collect();
        counts::add(&mut sum, &younger.rows);
        let step = Step::new(older.start, younger.end, sum.into_iter().collect());
        self.push(step, Some(at - 1));
    }

    /// What was counted in the last so long, up to `now`, and since when that really is.
    pub(crate) fn window(&self, now: &Counts, length: Duration) -> (Moment, Rows) {
        let reaches = |start: &Moment| now.moment.at - start.at >= length;
        let mut start = self.latest.moment;
        let mut sum = HashMap::new();
        counts::add(&mut sum, &now.since(&self.latest));
        let mut steps = self.steps.iter().rev();
        while !reaches(&start) {
            let Some(step) = steps.next() else {
                if !self.forgot {
                    // All there is: what is known of the whole is known of it.
                    return (start, now.rows());
                }
                break;
            };
            counts::add(&mut sum, &step.rows);
            start = step.start;
        }
        (start, sum.into_iter().collect())
    }

    /// Lets everything go.
    pub(crate) fn clear(&mut self) {
        self.forgot |= !self.steps.is_empty();
        self.steps = VecDeque::new();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::histogram::group;

    fn moment(begin: Instant, seconds: u64) -> Moment {
        Moment {
            at: begin + Duration::from_secs(seconds),
            unix_ns: seconds * 1_000_000_000,
        }
    }

    /// A session that counts the latency n in the n-th second; its state after some seconds.
    fn counts(begin: Instant, seconds: u64) -> Arc<Counts> {
        let mut histogram = Histogram::new(3);
        (1..=seconds).for_each(|it| histogram.record(it));
        state(begin, seconds, &histogram)
    }

    fn state(begin: Instant, seconds: u64, histogram: &Histogram) -> Arc<Counts> {
        let mut counts = Counts::none(moment(begin, seconds));
        let group = Arc::new(group::other(3, 0));
        counts.groups.insert(group, histogram.clone());
        Arc::new(counts)
    }

    fn past(begin: Instant, seconds: u64, bytes_max: usize) -> Past {
        let mut past = Past::within(counts(begin, 0), bytes_max);
        let mut histogram = Histogram::new(3);
        for second in 1..=seconds {
            histogram.record(second);
            if second.is_multiple_of(5) {
                past.add(&state(begin, second, &histogram));
            }
        }
        past
    }

    fn window(past: &Past, now: &Counts, seconds: u64) -> (u64, u64, u64, Option<u64>) {
        let (start, rows) = past.window(now, Duration::from_secs(seconds));
        let sum = rows.iter().map(|it| it.1.sum_ns()).sum();
        let count = rows.iter().map(|it| it.1.count()).sum();
        let max = rows.first().and_then(|it| it.1.max_ns());
        (start.unix_ns / 1_000_000_000, count, sum, max)
    }

    #[test]
    fn a_window_is_as_long_as_asked_or_up_to_a_step_longer() {
        let begin = Instant::now();
        let past = past(begin, 100, BYTES_MAX);
        let now = counts(begin, 102);
        let sum = |from: u64| (from + 1..=102).sum::<u64>();
        assert_eq!(window(&past, &now, 1), (100, 2, sum(100), Some(102)));
        assert_eq!(window(&past, &now, 10), (90, 12, sum(90), Some(102)));
        assert_eq!(window(&past, &now, 12), (90, 12, sum(90), Some(102)));
        assert_eq!(window(&past, &now, 102), (0, 102, sum(0), Some(102)));
        assert_eq!(window(&past, &now, 1000), (0, 102, sum(0), Some(102)));
    }

    #[test]
    fn old_steps_are_a_minute_long_and_go_after_an_hour() {
        let begin = Instant::now();
        let past = past(begin, 2 * 3600, BYTES_MAX);
        let now = counts(begin, 2 * 3600);
        let (start, count, sum, _) = window(&past, &now, 600);
        assert_eq!((2 * 3600 - start) / 60, 10);
        assert_eq!(count, 2 * 3600 - start);
        assert_eq!(sum, (start + 1..=2 * 3600).sum::<u64>());
        let (oldest, count, ..) = window(&past, &now, 100_000);
        assert!((3500..=3600).contains(&(2 * 3600 - oldest)), "{oldest}");
        assert_eq!(count, 2 * 3600 - oldest);
    }

    #[test]
    fn a_bound_in_bytes_shortens_it() {
        let begin = Instant::now();
        let past = past(begin, 100, 2000);
        assert!(past.bytes <= 2000 && past.steps.len() > 3);
        let now = counts(begin, 100);
        let (start, count, sum, _) = window(&past, &now, 100);
        assert!(start > 5, "{start}");
        assert_eq!((count, sum), (100 - start, (start + 1..=100).sum::<u64>()));
    }
}
