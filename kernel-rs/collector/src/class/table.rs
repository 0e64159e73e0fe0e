//! The class tables of an engine: which sets of sessions there are, and what was counted for each.

use aya::{
    Ebpf,
    maps::{Array, MapData, MapError, PerCpuArray},
};
use latscope_events::class::{CLASSES, ClassStats};

use crate::{
    bpf::take,
    failure::Failure,
    per_cpu::zeros,
    wire::{Wire, zero},
};

/// Masks and counters, two banks of each.
pub(crate) struct Classes {
    masks: Array<MapData, u64>,
    stats: PerCpuArray<MapData, Wire<ClassStats>>,
}

impl Classes {
    /// Takes the tables out of a loaded object.
    pub(crate) fn open(ebpf: &mut Ebpf) -> Result<Self, Failure> {
        Ok(Self {
            masks: take(ebpf, "CLASS_MASKS")?,
            stats: take(ebpf, "CLASS_STATS")?,
        })
    }

    /// Masks and counters of the classes of a bank, added over CPUs.
    pub(crate) fn read(&self, bank: u32) -> Result<Vec<(u64, ClassStats)>, Failure> {
        let failed = |error: MapError| Failure::kernel("reading CLASS_STATS", &error);
        let mut classes = Vec::new();
        for index in places(bank) {
            let mask = self.masks.get(&index, 0).map_err(failed)?;
            if mask != 0 {
                let mut sum: ClassStats = zero();
                for one in self.stats.get(&index, 0).map_err(failed)?.iter() {
                    add_class(&mut sum, &one.0);
                }
                classes.push((mask, sum));
            }
        }
        Ok(classes)
    }

    /// Forgets the classes of a bank that no program uses any more.
    pub(crate) fn clear(&mut self, bank: u32) -> Result<(), Failure> {
        let failed = |error: MapError| Failure::kernel("clearing CLASS_STATS", &error);
        for index in places(bank) {
            if self.masks.get(&index, 0).map_err(failed)? != 0 {
                self.masks.set(index, 0, 0).map_err(failed)?;
                self.stats.set(index, zeros()?, 0).map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn places(bank: u32) -> std::ops::Range<u32> {
    bank * CLASSES as u32..(bank + 1) * CLASSES as u32
}

/// Adds the counters of a class.
pub(crate) fn add_class(sum: &mut ClassStats, more: &ClassStats) {
    let ClassStats {
        measured,
        refused_rtt,
        refused,
    } = sum;
    add(measured, &more.measured);
    add(refused_rtt, &more.refused_rtt);
    add(refused, &more.refused);
}

/// Adds counters one by one.
pub(crate) fn add(sum: &mut [u64], more: &[u64]) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum += more;
    }
}
