//! The kernel's histograms: which is whose, what they have counted, and when one is free again.

use std::collections::HashMap;

use aya::{
    Ebpf,
    maps::{self, Array, MapData, PerCpuArray},
};
use latscope_events::{
    histogram::{self as kernel, BUCKETS, SCALE},
    series::{GROUPINGS, SeriesKey, flags, pool},
};

use crate::{
    bpf::take,
    failure::Failure,
    histogram::Histogram,
    per_cpu::{self, zeros},
    wire::Wire,
};

/// One of so many is kept for what has no room otherwise.
const RESERVED: u32 = 8;

/// All histograms of one object.
pub(super) struct Histograms {
    values: PerCpuArray<MapData, Wire<kernel::Histogram>>,
    series: maps::HashMap<MapData, Wire<SeriesKey>, u32>,
    free: Array<MapData, u32>,
    pool: Array<MapData, u64>,
    /// How many each way of grouping has, two banks.
    series_of: Array<MapData, u64>,
    /// Histograms put into the pool so far.
    given: u64,
    size: u32,
    /// Those in use, by number.
    used: HashMap<u32, Used>,
}

/// One that is in use.
struct Used {
    key: SeriesKey,
    seen: Box<Seen>,
    total: Histogram,
}

/// The counters when they were last read, added over CPUs; they wrap.
struct Seen {
    sum: u64,
    zero: u32,
    overflow: u32,
    buckets: [u32; BUCKETS],
}

impl Histograms {
    /// Puts all `size` of them into the pool.
    pub(super) fn open(ebpf: &mut Ebpf, size: u32) -> Result<Self, Failure> {
        let mut histograms = Self {
            values: take(ebpf, "HISTOGRAMS")?,
            series: take(ebpf, "SERIES")?,
            free: take(ebpf, "FREE")?,
            pool: take(ebpf, "POOL")?,
            series_of: take(ebpf, "SERIES_OF")?,
            given: 0,
            size,
            used: HashMap::new(),
        };
        histograms.set(pool::SIZE, u64::from(size))?;
        histograms.set(pool::RESERVE, u64::from(size / RESERVED))?;
        for number in 0..size {
            histograms.give(number)?;
        }
        Ok(histograms)
    }

    /// How many each of so many ways of grouping may have.
    pub(super) fn shared_by(&self, groupings: u32) -> u32 {
        (self.size - self.size / RESERVED) / groupings.max(1)
    }

    fn set(&mut self, word: u32, value: u64) -> Result<(), Failure> {
        self.pool
            .set(word, value, 0)
            .map_err(|error| Failure::kernel("writing POOL", &error))
    }

    fn give(&mut self, number: u32) -> Result<(), Failure> {
        let place = (self.given % u64::from(self.size)) as u32;
        self.free
            .set(place, number, 0)
            .map_err(|error| Failure::kernel("writing FREE", &error))?;
        self.given += 1;
        self.set(pool::GIVEN, self.given)
    }

    /// Reads them all. At least every few minutes, or a counter may have gone round.
    pub(super) fn refresh(&mut self) -> Result<(), Failure> {
        self.discover()?;
        for (number, used) in &mut self.used {
            used.add(&read(&self.values, *number)?);
        }
        Ok(())
    }

    /// Looks for those that came into use.
    fn discover(&mut self) -> Result<(), Failure> {
        let failed = |error| Failure::kernel("reading SERIES", &error);
        for entry in &self.series {
            let (Wire(key), number) = entry.map_err(failed)?;
            // The programs number from 1, so that 0 is none.
            let number = number.wrapping_sub(1);
            self.used.entry(number).or_insert_with(|| Used {
                key,
                seen: Box::new(Seen {
                    sum: 0,
                    zero: 0,
                    overflow: 0,
                    buckets: [0; BUCKETS],
                }),
                total: Histogram::new(SCALE),
            });
        }
        Ok(())
    }

    /// What was counted for any of these sessions, as last read.
    pub(super) fn of(&self, sessions: u64) -> impl Iterator<Item = (&SeriesKey, &Histogram)> {
        self.used
            .values()
            .filter(move |it| it.key.sessions & sessions != 0)
            .map(|it| (&it.key, &it.total))
    }

    /// Takes what a bank counted, of which no program writes any more, and frees its histograms.
    pub(super) fn retire(&mut self, bank: u32) -> Result<Vec<(SeriesKey, Histogram)>, Failure> {
        self.discover()?;
        let gone: Vec<u32> = self
            .used
            .iter()
            .filter(|(_, it)| u32::from(it.key.flags & flags::BANK) == bank)
            .map(|(number, _)| *number)
            .collect();
        for grouping in 0..GROUPINGS as u32 {
            self.series_of
                .set(bank * GROUPINGS as u32 + grouping, 0, 0)
                .map_err(|error| Failure::kernel("clearing SERIES_OF", &error))?;
        }
        let mut retired = Vec::with_capacity(gone.len());
        for number in gone {
            let last = read(&self.values, number)?;
            let Some(mut used) = self.used.remove(&number) else {
                continue;
            };
            used.add(&last);
            self.series
                .remove(&Wire(used.key))
                .map_err(|error| Failure::kernel("clearing SERIES", &error))?;
            self.values
                .set(number, zeros()?, 0)
                .map_err(|error| Failure::kernel("clearing HISTOGRAMS", &error))?;
            self.give(number)?;
            retired.push((used.key, used.total));
        }
        Ok(retired)
    }
}

impl Used {
    /// Adds what was counted since the last time.
    fn add(&mut self, cpus: &[kernel::Histogram]) {
        let mut now = Seen {
            sum: 0,
            zero: 0,
            overflow: 0,
            buckets: [0; BUCKETS],
        };
        let mut range: Option<(u64, u64)> = None;
        for cpu in cpus {
            now.sum = now.sum.wrapping_add(cpu.sum);
            now.zero = now.zero.wrapping_add(cpu.zero);
            now.overflow = now.overflow.wrapping_add(cpu.overflow);
            for (sum, more) in now.buckets.iter_mut().zip(&cpu.buckets) {
                *sum = sum.wrapping_add(*more);
            }
            if cpu.least_inverted != 0 {
                let (least, greatest) = (!cpu.least_inverted, cpu.greatest);
                let (low, high) = range.unwrap_or((least, greatest));
                range = Some((low.min(least), high.max(greatest)));
            }
        }
        let counts: Vec<u64> = now
            .buckets
            .iter()
            .zip(&self.seen.buckets)
            .map(|(now, seen)| u64::from(now.wrapping_sub(*seen)))
            .collect();
        // Bucket 0 is the one that ends at 1 ns, OpenTelemetry's -1.
        self.total.merge(&Histogram::from_parts(
            SCALE,
            -1,
            counts,
            u64::from(now.zero.wrapping_sub(self.seen.zero)),
            u64::from(now.overflow.wrapping_sub(self.seen.overflow)),
            now.sum.wrapping_sub(self.seen.sum),
            range,
        ));
        *self.seen = now;
    }
}

/// Each CPU's part.
fn read(
    values: &PerCpuArray<MapData, Wire<kernel::Histogram>>,
    number: u32,
) -> Result<Vec<kernel::Histogram>, Failure> {
    per_cpu::whole(
        "reading HISTOGRAMS",
        || values.get(&number, 0),
        |it| it.before == it.after,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::histogram::bounds;

    fn bucket(latency: u64) -> usize {
        kernel::bucket(latency, kernel::exponent(latency))
    }

    #[test]
    fn every_bound_is_the_last_of_its_bucket() {
        for number in 0..BUCKETS {
            let bound = bounds::largest(SCALE, number as i32 - 1);
            if bound > 0 && bounds::index(SCALE, bound) == number as i32 - 1 {
                assert_eq!(bucket(bound), number, "{bound}");
                assert!(bucket(bound + 1) > number, "{bound} + 1");
            }
        }
    }

    proptest! {
        #[test]
        fn buckets_are_those_of_the_histograms_they_become(value in 1..=u64::MAX, shift in 0..64_u32) {
            let latency = (value >> shift).max(1);
            prop_assert_eq!(bucket(latency) as i32 - 1, bounds::index(SCALE, latency));
        }
    }
}
