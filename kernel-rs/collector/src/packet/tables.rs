//! How large the kernel's tables are made: everything that grows with the traffic follows from one number.

use aya::{EbpfLoader, util::nr_cpus};
use latscope_events::{
    histogram::Histogram,
    series::remembered,
    table::{self, FLOWS, share},
};

use crate::failure::{Failure, Reason};

/// Fewest IPv4 flows.
const FEWEST: u32 = 1024;
/// Most.
const MOST: u32 = 1 << 20;
/// Bytes of histograms to [`FLOWS`], over all CPUs.
const HISTOGRAM_BYTES: u64 = 7 << 18;
/// Fewest entries of a table for each CPU, which sets 128 of them aside (`LOCAL_FREE_TARGET`); on CPUs that find none left each
/// new entry would take the place of the one before.
const ENTRIES_A_CPU: u32 = 192;
/// Fewest histograms, whatever they take.
const FEWEST_HISTOGRAMS: u64 = 320;

/// Tables by the IPv4 flows that there is room for; what that means for each, [`share`] says.
const SHARES: [(&str, usize); 9] = [
    ("FLOWS4", share::FLOWS4),
    ("FLOWS6", share::FLOWS6),
    ("UDP_FLOWS4", share::UDP_FLOWS4),
    ("UDP_FLOWS6", share::UDP_FLOWS6),
    ("HALF_OPEN4", share::HALF_OPEN4),
    ("HALF_OPEN6", share::HALF_OPEN6),
    ("PENDING4", share::PENDING4),
    ("PENDING6", share::PENDING6),
    ("TRANSACTIONS", share::TRANSACTIONS),
];

/// The size of the packet engine's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tables {
    /// IPv4 flows that there is room for.
    pub(super) flows: u32,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            flows: FLOWS as u32,
        }
    }
}

impl Tables {
    /// Tables with room for so many IPv4 flows, and everything else in proportion.
    ///
    /// # Errors
    /// `FIELD_INVALID` outside 1024 to 1048576.
    pub fn for_flows(flows: u32) -> Result<Self, Failure> {
        if (FEWEST..=MOST).contains(&flows) {
            return Ok(Self { flows });
        }
        let text = format!("{flows} flows: the packet engine takes {FEWEST} to {MOST}");
        Err(Failure::new(Reason::FieldInvalid, text.clone()).with_violation("packet_flows", text))
    }

    /// Tells the loader.
    pub(super) fn apply(self, loader: &mut EbpfLoader<'_>) {
        for (name, share) in SHARES {
            loader.map_max_entries(name, self.entries(share));
        }
        for name in ["HISTOGRAMS", "SERIES", "FREE"] {
            loader.map_max_entries(name, self.histograms());
        }
    }

    /// Entries of a table of this share.
    pub(super) fn entries(self, share: usize) -> u32 {
        let cpus = nr_cpus().unwrap_or(1) as u32;
        let entries = table::entries(self.flows as usize, share) as u32;
        entries.max(ENTRIES_A_CPU * cpus)
    }

    /// How many histograms there are on this host: every CPU has its part of each.
    pub(super) fn histograms(self) -> u32 {
        let cpus = nr_cpus().unwrap_or(1) as u64;
        let bytes = HISTOGRAM_BYTES * u64::from(self.flows) / FLOWS as u64;
        let fit = bytes / (cpus * size_of::<Histogram>() as u64);
        fit.clamp(FEWEST_HISTOGRAMS, u64::from(remembered::MOST)) as u32
    }
}
