//! A session's histograms by group, bounded.

use std::collections::{BTreeMap, HashMap};

use crate::{histogram::Histogram, proto};

/// What a group is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    /// `Metric` number.
    pub(crate) metric: u8,
    /// By the names of `Group.keys`; empty for everything that has no group of its own.
    pub(crate) keys: BTreeMap<String, String>,
    /// What is beyond the bound.
    pub(crate) other: bool,
}

/// Histograms by group, none of which goes again once it is there.
#[derive(Clone, Default)]
pub(crate) struct Groups {
    kept: HashMap<Id, Option<Histogram>>,
    named: usize,
}

impl Groups {
    /// Adds a histogram to a group, or to `other` of its metric when there are `most` groups already.
    pub(crate) fn add(&mut self, id: Id, most: usize, histogram: &Histogram) {
        let id = self.admit(id, most);
        match self.kept.entry(id).or_default() {
            Some(kept) => kept.merge(histogram),
            none => *none = Some(histogram.clone()),
        }
    }

    /// The group that counts for `id`, from now on.
    pub(crate) fn admit(&mut self, id: Id, most: usize) -> Id {
        if id.other || self.kept.contains_key(&id) {
            return id;
        }
        if self.named < most {
            self.named += 1;
            self.kept.insert(id.clone(), None);
            return id;
        }
        Id {
            keys: BTreeMap::new(),
            other: true,
            ..id
        }
    }

    /// These, with what is counted in the kernel besides: what has a group of its own once keeps it.
    pub(crate) fn with(
        &mut self,
        most: usize,
        live: impl IntoIterator<Item = (Id, Histogram)>,
    ) -> Self {
        let mut all = self.clone();
        for (id, histogram) in live {
            let id = self.admit(id, most);
            all.add(id, usize::MAX, &histogram);
        }
        all
    }

    /// Every group that has counted, as the contract names it; `probe` is the index of each metric's.
    pub(crate) fn list(&self, probe: impl Fn(u8) -> u32) -> Vec<(proto::Group, Histogram)> {
        self.kept
            .iter()
            .filter_map(|(id, histogram)| {
                let group = proto::Group {
                    metric: i32::from(id.metric),
                    keys: id.keys.clone(),
                    other: id.other,
                    probe: probe(id.metric),
                };
                Some((group, histogram.clone()?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(port: &str) -> Id {
        Id {
            metric: 3,
            keys: BTreeMap::from([("server_port".to_owned(), port.to_owned())]),
            other: false,
        }
    }

    fn one(latency: u64) -> Histogram {
        let mut histogram = Histogram::new(3);
        histogram.record(latency);
        histogram
    }

    #[test]
    fn what_comes_first_keeps_its_group_and_the_rest_is_other() {
        let mut groups = Groups::default();
        for (port, latency) in [("1", 10), ("2", 20), ("3", 30), ("1", 40), ("4", 50)] {
            groups.add(id(port), 2, &one(latency));
        }
        let mut list: Vec<_> = groups
            .list(|metric| u32::from(metric) + 1)
            .into_iter()
            .map(|(group, histogram)| {
                assert_eq!((group.metric, group.probe), (3, 4));
                let port = group.keys.get("server_port").cloned();
                (port, group.other, histogram.count(), histogram.sum_ns())
            })
            .collect();
        list.sort();
        assert_eq!(
            list,
            [
                (None, true, 2, 80),
                (Some("1".to_owned()), false, 2, 50),
                (Some("2".to_owned()), false, 1, 20),
            ]
        );
    }
}
