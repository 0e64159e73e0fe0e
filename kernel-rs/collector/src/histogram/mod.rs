//! Histograms of nanoseconds, OpenTelemetry's base-2 exponential shape: mergeable by addition, exact in count, sum, min and max.

pub mod bounds;
pub(crate) mod counts;
pub mod group;
pub(crate) mod past;
pub mod reader;
pub(crate) mod readings;
pub(crate) mod shape;
pub(crate) mod snapshot;
pub(crate) mod store;
#[cfg(test)]
pub(crate) mod testing;

use crate::proto;

/// Latencies counted by size. Equal scales merge bucket by bucket; of unequal ones the finer is first brought down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    scale: i32,
    /// Index of `counts[0]`.
    offset: i32,
    counts: Vec<u64>,
    zero_count: u64,
    overflow_count: u64,
    sum_ns: u64,
    /// `None` when empty or not known.
    min_ns: Option<u64>,
    /// `None` when empty or not known.
    max_ns: Option<u64>,
}

impl Histogram {
    /// An empty histogram.
    ///
    /// # Panics
    /// If the scale is not between [`bounds::SCALE_MIN`] and [`bounds::SCALE_MAX`].
    #[must_use]
    pub fn new(scale: i32) -> Self {
        assert!(
            (bounds::SCALE_MIN..=bounds::SCALE_MAX).contains(&scale),
            "scale {scale}"
        );
        Self {
            scale,
            offset: 0,
            counts: Vec::new(),
            zero_count: 0,
            overflow_count: 0,
            sum_ns: 0,
            min_ns: None,
            max_ns: None,
        }
    }

    /// A histogram out of what the kernel counted; `range_ns` is the least and the greatest, `None` when empty or not known.
    ///
    /// # Panics
    /// As [`Histogram::new`].
    #[must_use]
    pub fn from_parts(
        scale: i32,
        offset: i32,
        counts: Vec<u64>,
        zero_count: u64,
        overflow_count: u64,
        sum_ns: u64,
        range_ns: Option<(u64, u64)>,
    ) -> Self {
        let mut histogram = Self {
            offset,
            counts,
            zero_count,
            overflow_count,
            sum_ns,
            min_ns: range_ns.map(|it| it.0),
            max_ns: range_ns.map(|it| it.1),
            ..Self::new(scale)
        };
        histogram.trim();
        histogram
    }

    /// Counts one latency.
    pub fn record(&mut self, latency_ns: u64) {
        if self.is_empty() {
            (self.min_ns, self.max_ns) = (Some(latency_ns), Some(latency_ns));
        } else {
            self.min_ns = self.min_ns.map(|it| it.min(latency_ns));
            self.max_ns = self.max_ns.map(|it| it.max(latency_ns));
        }
        if latency_ns == 0 {
            self.zero_count += 1;
        } else {
            *self.bucket(bounds::index(self.scale, latency_ns)) += 1;
        }
        self.sum_ns = self.sum_ns.saturating_add(latency_ns);
    }

    /// Counts what another counted. The least and the greatest are known where they were of both.
    pub fn merge(&mut self, other: &Self) {
        self.coarsen(other.scale);
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            (self.min_ns, self.max_ns) = (other.min_ns, other.max_ns);
        } else {
            self.min_ns = self.min_ns.zip(other.min_ns).map(|(a, b)| a.min(b));
            self.max_ns = self.max_ns.zip(other.max_ns).map(|(a, b)| a.max(b));
        }
        let coarser = other.scale - self.scale;
        for (at, count) in other.counts.iter().enumerate().filter(|it| *it.1 > 0) {
            *self.bucket((other.offset + at as i32) >> coarser) += count;
        }
        self.zero_count += other.zero_count;
        self.overflow_count += other.overflow_count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }

    /// What was counted after `earlier`, a former state of this histogram.
    ///
    /// Its least is known where all was counted since, or where it is below the earlier least; so is its greatest.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        if earlier.is_empty() {
            return self.clone();
        }
        let mut old = earlier.clone();
        old.coarsen(self.scale);
        let mut later = self.clone();
        for (at, count) in old.counts.iter().enumerate().filter(|it| *it.1 > 0) {
            let bucket = later.bucket(old.offset + at as i32);
            *bucket = bucket.saturating_sub(*count);
        }
        later.zero_count = later.zero_count.saturating_sub(old.zero_count);
        later.overflow_count = later.overflow_count.saturating_sub(old.overflow_count);
        later.sum_ns = later.sum_ns.saturating_sub(old.sum_ns);
        let moved =
            |new: Option<u64>, old: Option<u64>| new.filter(|it| old.is_some_and(|old| *it != old));
        later.min_ns = moved(self.min_ns, old.min_ns);
        later.max_ns = moved(self.max_ns, old.max_ns);
        later.trim();
        later
    }

    /// Lets the empty buckets at both ends go.
    fn trim(&mut self) {
        let used = |it: &u64| *it > 0;
        let Some(first) = self.counts.iter().position(used) else {
            self.counts = Vec::new();
            self.offset = 0;
            return;
        };
        let last = self.counts.iter().rposition(used).unwrap_or(first);
        self.counts = self.counts[first..=last].to_vec();
        self.offset += first as i32;
    }

    /// Brings the scale down to `scale`, if it is finer.
    pub fn coarsen(&mut self, scale: i32) {
        if scale < self.scale {
            let fine = std::mem::replace(self, Self::new(scale));
            self.merge(&fine);
        }
    }

    /// Nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.zero_count == 0 && self.overflow_count == 0 && self.counts.iter().all(|it| *it == 0)
    }

    /// Latencies counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.zero_count + self.overflow_count + self.counts.iter().sum::<u64>()
    }

    /// Their sum, at most `u64::MAX`.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// The least; `None` when empty or not known.
    #[must_use]
    pub fn min_ns(&self) -> Option<u64> {
        self.min_ns
    }

    /// The greatest; `None` when empty or not known.
    #[must_use]
    pub fn max_ns(&self) -> Option<u64> {
        self.max_ns
    }

    /// A latency that `quantile` (0 to 1) of all do not exceed, within the width of its bucket; `None` when empty, and where it
    /// is above the last bucket and the greatest is not known.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rank is as exact as the quantile it comes from"
    )]
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = ((quantile.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count);
        let least = self.min_ns.unwrap_or(0);
        let greatest = self.max_ns.unwrap_or(u64::MAX);
        let mut below = self.zero_count;
        if rank <= below {
            return Some(0);
        }
        for (at, bucket) in self.counts.iter().enumerate() {
            below += bucket;
            if rank <= below {
                let bound = bounds::largest(self.scale, self.offset + at as i32);
                return Some(bound.clamp(least, greatest));
            }
        }
        self.max_ns
    }

    /// Bytes beside its own size.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
    }

    /// The counter of a bucket, which is made if it is not there.
    fn bucket(&mut self, index: i32) -> &mut u64 {
        if self.counts.is_empty() {
            self.offset = index;
        }
        if index < self.offset {
            let missing = (self.offset - index) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.offset = index;
        }
        let at = (index - self.offset) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        &mut self.counts[at]
    }
}

impl From<&Histogram> for proto::Histogram {
    fn from(histogram: &Histogram) -> Self {
        let Histogram {
            scale,
            offset,
            counts,
            zero_count,
            overflow_count,
            sum_ns,
            min_ns,
            max_ns,
        } = histogram;
        Self {
            scale: *scale,
            offset: *offset,
            counts: counts.clone(),
            zero_count: *zero_count,
            count: histogram.count(),
            sum_ns: *sum_ns,
            min_ns: *min_ns,
            max_ns: *max_ns,
            overflow_count: *overflow_count,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(scale: i32, latencies: &[u64]) -> Histogram {
        let mut histogram = Histogram::new(scale);
        for latency in latencies {
            histogram.record(*latency);
        }
        histogram
    }

    fn trimmed(histogram: &Histogram) -> proto::Histogram {
        let mut message = proto::Histogram::from(histogram);
        while message.counts.last() == Some(&0) {
            message.counts.pop();
        }
        while message.counts.first() == Some(&0) {
            message.counts.remove(0);
            message.offset += 1;
        }
        message
    }

    #[test]
    fn the_parts_are_exact() {
        let message = proto::Histogram::from(&of(0, &[0, 1, 2, 3, 4, 5]));
        assert_eq!((message.offset, message.counts), (-1, vec![1, 1, 2, 1]));
        assert_eq!(
            (message.zero_count, message.count, message.sum_ns),
            (1, 6, 15)
        );
        assert_eq!((message.min_ns, message.max_ns), (Some(0), Some(5)));
        assert_eq!(proto::Histogram::from(&Histogram::new(3)).min_ns, None);
    }

    fn any_latency() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
    }

    proptest! {
        #[test]
        fn merging_two_counts_what_both_counted(
            one in proptest::collection::vec(any_latency(), 0..50),
            other in proptest::collection::vec(any_latency(), 0..50),
            fine in bounds::SCALE_MIN..=bounds::SCALE_MAX,
            coarse in bounds::SCALE_MIN..=bounds::SCALE_MAX,
        ) {
            let mut merged = of(fine, &one);
            merged.merge(&of(coarse, &other));
            let all = [one, other].concat();
            prop_assert_eq!(trimmed(&merged), trimmed(&of(fine.min(coarse), &all)));
        }

        #[test]
        fn what_came_since_is_what_was_counted_since(
            before in proptest::collection::vec(any_latency(), 0..50),
            after in proptest::collection::vec(any_latency(), 0..50),
            fine in 0..=bounds::SCALE_MAX,
            coarser in 0..=2_i32,
        ) {
            let earlier = of(fine, &before);
            let mut now = earlier.clone();
            for latency in &after {
                now.record(*latency);
            }
            now.coarsen(fine - coarser);
            let since = now.since(&earlier);
            let mut told = trimmed(&since);
            let mut exact = trimmed(&of(fine - coarser, &after));
            let saturated = [before.clone(), after.clone()].concat().iter().try_fold(0, |sum: u64, it| sum.checked_add(*it)).is_none();
            if saturated {
                told.sum_ns = 0;
                exact.sum_ns = 0;
            }
            for (told, exact) in [(told.min_ns, exact.min_ns), (told.max_ns, exact.max_ns)] {
                prop_assert!(told.is_none() || told == exact);
            }
            let extremes = |values: &[u64]| (values.iter().min().copied(), values.iter().max().copied());
            let (least, greatest) = extremes(&before);
            let (new_least, new_greatest) = extremes(&after);
            prop_assert_eq!(told.min_ns.is_some(), new_least.is_some_and(|it| least.is_none_or(|old| it < old)));
            prop_assert_eq!(told.max_ns.is_some(), new_greatest.is_some_and(|it| greatest.is_none_or(|old| it > old)));
            (told.min_ns, told.max_ns) = (exact.min_ns, exact.max_ns);
            prop_assert_eq!(told, exact);
            let mut again = earlier;
            again.merge(&since);
            prop_assert_eq!(trimmed(&again).counts, trimmed(&now).counts);
        }

        #[test]
        fn a_quantile_is_the_bound_of_the_bucket_of_its_rank(
            mut latencies in proptest::collection::vec(any_latency(), 1..200),
            part in 0..=256_u16,
        ) {
            let told = of(3, &latencies).quantile(f64::from(part) / 256.0).unwrap();
            latencies.sort_unstable();
            let rank = (usize::from(part) * latencies.len()).div_ceil(256).max(1);
            let exact = latencies[rank - 1];
            let bound = if exact == 0 { 0 } else { bounds::largest(3, bounds::index(3, exact)) };
            prop_assert_eq!(told, bound.clamp(latencies[0], latencies[latencies.len() - 1]));
        }
    }
}
