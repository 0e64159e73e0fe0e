//! The kernel's histograms, added up for each session.

use std::collections::HashMap;

use latscope_events::{
    histogram::SCALE,
    span::{config::key, series::SeriesKey},
};

use super::{
    plan::keys,
    routes::{comm_bytes, until_nul},
    subject,
    task::cgroup::Places,
};
use crate::{
    histogram::{Histogram, group},
    proto::{Group, GroupBy, Metric},
    text,
};

/// What a session groups by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Which {
    probe: u32,
    metric: u16,
    comm: [u64; 2],
    cgroup: u64,
    subject: u64,
    result: i32,
    other: bool,
}

/// Most groups that are kept apart for one session; those beyond are counted together.
const GROUPS_MAX: usize = 65_536;

/// The histograms of one session.
#[derive(Default)]
pub(super) struct Groups {
    groups: HashMap<Which, Histogram>,
}

impl Groups {
    /// Adds what was counted for a lane of `probe` that groups by `group_by`.
    pub(super) fn add(
        &mut self,
        probe: u32,
        group_by: &[GroupBy],
        series: &SeriesKey,
        counted: &Histogram,
    ) {
        let by = keys(group_by);
        let pick = |bit: u32, value: u64| if by & bit == 0 { 0 } else { value };
        let mut which = Which {
            probe,
            metric: series.metric,
            comm: series.comm.map(|word| pick(key::COMM, word)),
            cgroup: pick(key::CGROUP, series.cgroup),
            subject: pick(key::SUBJECT, series.subject),
            result: pick(key::RESULT, series.result as u64) as i32,
            // Who groups by nothing has one group, and nothing is beyond it.
            other: series.other != 0 && by != 0,
        };
        if by != 0 && self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&which) {
            which = Which {
                comm: [0; 2],
                cgroup: 0,
                subject: 0,
                result: 0,
                other: true,
                ..which
            };
        }
        self.groups
            .entry(which)
            .or_insert_with(|| Histogram::new(SCALE))
            .merge(counted);
    }

    /// Every group with its names, those that `group_by` of its probe asks for.
    pub(super) fn all(
        &self,
        group_by: impl Fn(u32) -> Vec<GroupBy>,
        places: &Places,
    ) -> Vec<(Group, Histogram)> {
        self.groups
            .iter()
            .map(|(which, histogram)| {
                let names = if which.other {
                    Vec::new()
                } else {
                    group_by(which.probe)
                };
                let keys = names.iter().filter_map(|by| which.named(*by, places));
                let group = Group {
                    keys: keys.collect(),
                    other: which.other,
                    ..group::other(i32::from(which.metric), which.probe)
                };
                (group, histogram.clone())
            })
            .collect()
    }
}

impl Which {
    fn named(&self, by: GroupBy, places: &Places) -> Option<(String, String)> {
        let metric = Metric::try_from(i32::from(self.metric)).unwrap_or_default();
        let value = match by {
            GroupBy::Comm => text::escape(until_nul(&comm_bytes(self.comm))).into_owned(),
            GroupBy::Cgroup => text::escape(&places.of(self.cgroup).path).into_owned(),
            GroupBy::Subject => subject::name(metric, self.subject).into_owned(),
            GroupBy::Result => self.result.to_string(),
            _ => return None,
        };
        (!value.is_empty()).then(|| (group::key(by).to_owned(), value))
    }
}
