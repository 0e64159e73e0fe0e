//! The kernel's histograms: what each has counted, and when it goes.

use std::collections::HashMap;

use aya::{
    Ebpf,
    maps::{MapData, MapError, PerCpuHashMap},
};
use latscope_events::{histogram as kernel, series::flags, socket::series::SeriesKey};

use crate::{
    bpf::take,
    failure::Failure,
    histogram::{Histogram, readings::Readings},
    per_cpu,
    wire::Wire,
};

type Table = PerCpuHashMap<MapData, Wire<SeriesKey>, Wire<kernel::Histogram>>;

/// All histograms of the engine.
pub(super) struct Histograms {
    /// Those of groups, and those of what has no room there.
    tables: [Table; 2],
    readings: Readings<SeriesKey>,
    totals: HashMap<SeriesKey, Histogram>,
}

impl Histograms {
    /// Takes the tables out of a loaded object.
    pub(super) fn open(ebpf: &mut Ebpf) -> Result<Self, Failure> {
        Ok(Self {
            tables: [take(ebpf, "SERIES")?, take(ebpf, "OTHERS")?],
            readings: Readings::default(),
            totals: HashMap::new(),
        })
    }

    /// Reads them all. At least every few minutes, or a counter may have gone round.
    pub(super) fn refresh(&mut self) -> Result<(), Failure> {
        const READING: &str = "reading SERIES";
        let failed = |error: MapError| Failure::kernel(READING, &error);
        for table in &self.tables {
            for key in table.keys() {
                let key = key.map_err(failed)?;
                let parts =
                    per_cpu::whole(READING, || table.get(&key, 0), |it| it.before == it.after)?;
                let counted = self.readings.since_last(&key.0, parts);
                self.totals
                    .entry(key.0)
                    .or_insert_with(|| Histogram::new(kernel::SCALE))
                    .merge(&counted);
            }
        }
        Ok(())
    }

    /// What was counted for any of these sessions, as last read.
    pub(super) fn of(&self, sessions: u64) -> impl Iterator<Item = (&SeriesKey, &Histogram)> {
        self.totals
            .iter()
            .filter(move |(key, _)| key.sessions & sessions != 0)
    }

    /// Takes what a bank counted, to which no program adds any more.
    pub(super) fn retire(&mut self, bank: u32) -> Result<Vec<(SeriesKey, Histogram)>, Failure> {
        self.refresh()?;
        let of_bank = |key: &SeriesKey| u32::from(key.flags & flags::BANK) == bank;
        let retired: Vec<(SeriesKey, Histogram)> =
            self.totals.extract_if(|key, _| of_bank(key)).collect();
        for (key, _) in &retired {
            let table = &mut self.tables[usize::from(key.flags & flags::OTHER != 0)];
            table
                .remove(&Wire(*key))
                .map_err(|error| Failure::kernel("clearing SERIES", &error))?;
            self.readings.forget(key);
        }
        Ok(retired)
    }
}
