//! When a batch leaves: full, or when its time has come.

use std::time::Duration;

use tokio::time::Instant;

use crate::proto::Encoding;

/// Sizes are kept in this part of a byte.
const PART: u64 = 256;
/// A first guess of the bytes of a sample, until a batch tells.
const ROW_BYTES: u64 = 130;
const COLUMN_BYTES: u64 = 12;
/// However few samples a filter leaves, a reader looks at what came after so many.
const LOOK_AHEAD_MAX: u64 = 65_536;

/// The clock of one reader's batches.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the session began: batches of all its readers leave at multiples of their delay from then, so that they are the same.
    grid: Instant,
    delay: Duration,
    batch_bytes: u64,
    /// Bytes of a batch for each sample looked at, lately; in parts.
    sample_size: u64,
    due: Option<Instant>,
    first_sent: bool,
}

impl Pace {
    pub(super) fn new(
        grid: Instant,
        delay: Duration,
        batch_bytes: usize,
        encoding: Encoding,
    ) -> Self {
        let sample_bytes = if encoding == Encoding::Columns {
            COLUMN_BYTES
        } else {
            ROW_BYTES
        };
        Self {
            grid,
            delay,
            batch_bytes: batch_bytes as u64,
            sample_size: sample_bytes * PART,
            due: None,
            first_sent: false,
        }
    }

    /// How many samples to wait for and until when; `None` if a batch of `waiting` samples leaves now.
    pub(super) fn wait(&mut self, waiting: u64, now: Instant) -> Option<(u64, Instant)> {
        let wanted = (self.batch_bytes * PART / self.sample_size).clamp(1, LOOK_AHEAD_MAX);
        if !self.first_sent || waiting >= wanted {
            return None;
        }
        let (grid, delay) = (self.grid, self.delay);
        let due = *self
            .due
            .get_or_insert_with(|| next_multiple(grid, delay, now));
        (now < due).then_some((wanted, due))
    }

    /// Samples were looked at, and became a batch of so many bytes.
    pub(super) fn looked_at(&mut self, samples: u64, bytes: usize) {
        self.due = None;
        self.first_sent |= bytes > 0;
        self.sample_size = self
            .sample_size
            .midpoint(bytes as u64 * PART / samples)
            .max(1);
    }

    /// Nothing waits.
    pub(super) fn rest(&mut self) {
        self.due = None;
    }
}

/// The first multiple of `step` after `start` that is later than `now`.
pub(crate) fn next_multiple(start: Instant, step: Duration, now: Instant) -> Instant {
    let since = now.saturating_duration_since(start).as_nanos();
    let left = match step.as_nanos() {
        0 => 0,
        step => step - since % step,
    };
    now + Duration::from_nanos(left.try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_leave_on_the_grid_of_the_session() {
        let grid = Instant::now();
        let at = |milliseconds| grid + Duration::from_millis(milliseconds);
        let mut pace = Pace::new(grid, Duration::from_millis(100), 16_384, Encoding::Rows);
        assert_eq!(pace.wait(1, at(130)), None, "the first leaves at once");
        pace.looked_at(1, 130);
        assert_eq!(pace.wait(1, at(130)), Some((126, at(200))));
        assert_eq!(pace.wait(9, at(199)), Some((126, at(200))));
        assert_eq!(pace.wait(126, at(199)), None);
        assert_eq!(pace.wait(1, at(200)), None);
    }

    #[test]
    fn what_a_filter_leaves_decides_how_far_to_look() {
        let mut pace = Pace::new(
            Instant::now(),
            Duration::from_secs(1),
            16_384,
            Encoding::Rows,
        );
        pace.looked_at(1, 130);
        for _ in 0..64 {
            pace.looked_at(1000, 130);
        }
        let (wanted, _) = pace.wait(1, Instant::now()).unwrap();
        assert!(wanted > 60_000, "{wanted}");
    }
}
