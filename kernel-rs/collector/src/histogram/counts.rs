//! What a session counted by a moment, and between two of them.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::Histogram;
use crate::proto::{Group, Totals};

/// Groups with what was counted for each.
pub(crate) type Rows = Vec<(Arc<Group>, Histogram)>;

/// A point in time by both clocks: the one that measures, and the one that clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) unix_ns: u64,
}

/// Everything that a session counted by a moment.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) moment: Moment,
    pub(crate) totals: Totals,
    pub(crate) groups: HashMap<Arc<Group>, Histogram>,
}

impl Counts {
    /// Nothing yet.
    pub(crate) fn none(moment: Moment) -> Self {
        Self {
            moment,
            totals: Totals::default(),
            groups: HashMap::new(),
        }
    }

    /// Each group that anything was counted for.
    pub(crate) fn rows(&self) -> Rows {
        let groups = self.groups.iter().filter(|it| !it.1.is_empty());
        groups.map(|it| (it.0.clone(), it.1.clone())).collect()
    }

    /// Each group that anything was counted for after an earlier state of the same session.
    pub(crate) fn since(&self, earlier: &Self) -> Rows {
        let changed = self.groups.iter().filter_map(|(group, now)| {
            let since = earlier
                .groups
                .get(group)
                .map_or_else(|| now.clone(), |old| now.since(old));
            (!since.is_empty()).then(|| (group.clone(), since))
        });
        changed.collect()
    }
}

/// Adds rows to those of other moments.
pub(crate) fn add(sum: &mut HashMap<Arc<Group>, Histogram>, rows: &[(Arc<Group>, Histogram)]) {
    for (group, histogram) in rows {
        match sum.get_mut(group) {
            Some(known) => known.merge(histogram),
            None => drop(sum.insert(group.clone(), histogram.clone())),
        }
    }
}
