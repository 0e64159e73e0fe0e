//! What the kernel's histograms counted since they were last read.

use std::{collections::HashMap, hash::Hash};

use latscope_events::histogram::{BUCKETS, Histogram as Counted, SCALE};

use super::Histogram;

/// What was read of every histogram the last time, by CPU.
pub(crate) struct Readings<K> {
    last: HashMap<K, Vec<Counted>>,
}

impl<K> Default for Readings<K> {
    fn default() -> Self {
        Self {
            last: HashMap::new(),
        }
    }
}

impl<K: Copy + Eq + Hash> Readings<K> {
    /// What came since the last reading.
    pub(crate) fn since_last(&mut self, key: &K, now: Vec<Counted>) -> Histogram {
        let last = self.last.get(key);
        let mut sum = Histogram::new(SCALE);
        for (cpu, now) in now.iter().enumerate() {
            sum.merge(&difference(now, last.and_then(|it| it.get(cpu))));
        }
        self.last.insert(*key, now);
        sum
    }

    /// Forgets a histogram that is no more.
    pub(crate) fn forget(&mut self, key: &K) {
        self.last.remove(key);
    }

    /// Histograms that have been read.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.last.keys()
    }
}

/// Counters wrap at 32 bits and are read far more often than that takes.
fn difference(now: &Counted, last: Option<&Counted>) -> Histogram {
    let since = |now: u32, last: Option<u32>| u64::from(now.wrapping_sub(last.unwrap_or(0)));
    let counts: Vec<u64> = (0..BUCKETS)
        .map(|at| since(now.buckets[at], last.map(|it| it.buckets[at])))
        .collect();
    let zero = since(now.zero, last.map(|it| it.zero));
    let overflow = since(now.overflow, last.map(|it| it.overflow));
    let any = zero + overflow + counts.iter().sum::<u64>() > 0;
    Histogram::from_parts(
        SCALE,
        -1,
        counts,
        zero,
        overflow,
        now.sum.wrapping_sub(last.map_or(0, |it| it.sum)),
        // Since the beginning, which is no less true of all that a session has.
        any.then_some((!now.least_inverted, now.greatest)),
    )
}
