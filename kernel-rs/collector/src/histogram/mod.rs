//! Histograms of nanoseconds, OpenTelemetry's base-2 exponential shape: mergeable by addition, exact in count, sum, min and max.

pub mod bounds;

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
    /// Least and greatest; `None` when empty or not known.
    range_ns: Option<(u64, u64)>,
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
            range_ns: None,
        }
    }

    /// A histogram out of what the kernel counted.
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
        Self {
            offset,
            counts,
            zero_count,
            overflow_count,
            sum_ns,
            range_ns,
            ..Self::new(scale)
        }
    }

    /// Counts one latency.
    pub fn record(&mut self, latency_ns: u64) {
        if latency_ns == 0 {
            self.zero_count += 1;
        } else {
            *self.bucket(bounds::index(self.scale, latency_ns)) += 1;
        }
        self.sum_ns = self.sum_ns.saturating_add(latency_ns);
        self.widen((latency_ns, latency_ns));
    }

    /// Counts what another counted.
    pub fn merge(&mut self, other: &Self) {
        self.coarsen(other.scale);
        let coarser = other.scale - self.scale;
        for (at, count) in other.counts.iter().enumerate().filter(|it| *it.1 > 0) {
            *self.bucket((other.offset + at as i32) >> coarser) += count;
        }
        self.zero_count += other.zero_count;
        self.overflow_count += other.overflow_count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        if let Some(range) = other.range_ns {
            self.widen(range);
        }
    }

    /// Brings the scale down to `scale`, if it is finer.
    pub fn coarsen(&mut self, scale: i32) {
        if scale < self.scale {
            let fine = std::mem::replace(self, Self::new(scale));
            self.merge(&fine);
        }
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

    /// The least and the greatest; `None` when empty or not known.
    #[must_use]
    pub fn range_ns(&self) -> Option<(u64, u64)> {
        self.range_ns
    }

    /// A latency that `quantile` (0 to 1) of all do not exceed, within the width of its bucket; `None` when empty.
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
        let (least, greatest) = self.range_ns.unwrap_or((0, u64::MAX));
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
        Some(greatest)
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

    fn widen(&mut self, (least, greatest): (u64, u64)) {
        let (low, high) = self.range_ns.unwrap_or((u64::MAX, 0));
        self.range_ns = Some((low.min(least), high.max(greatest)));
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
            range_ns,
        } = histogram;
        Self {
            scale: *scale,
            offset: *offset,
            counts: counts.clone(),
            zero_count: *zero_count,
            count: histogram.count(),
            sum_ns: *sum_ns,
            min_ns: range_ns.map(|it| it.0),
            max_ns: range_ns.map(|it| it.1),
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
