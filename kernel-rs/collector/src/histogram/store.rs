//! What a session counts: read from its engines, kept within its groups, remembered for a while.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Histogram,
    counts::{Counts, Moment, Rows},
    group,
    past::Past,
};
use crate::{
    clock,
    failure::Failure,
    proto::{Group, Totals},
};

/// What engines told at one moment.
pub(crate) struct Reading {
    pub(crate) totals: Totals,
    pub(crate) groups: Vec<(Group, Histogram)>,
    /// The session's bound of groups.
    pub(crate) max_groups: usize,
}

/// The counts of one session.
#[derive(Debug)]
pub(crate) struct Store {
    beginning: Arc<Counts>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    groups: Groups,
    latest: Arc<Counts>,
    past: Past,
    /// `latest` is what the session came to.
    over: bool,
}

impl Store {
    /// Of a session that begins now.
    pub(crate) fn new() -> Self {
        let beginning = Arc::new(Counts::none(now()));
        Self {
            inner: Mutex::new(Inner {
                groups: Groups::default(),
                latest: beginning.clone(),
                past: Past::new(beginning.clone()),
                over: false,
            }),
            beginning,
        }
    }

    /// When the session began, and nothing was counted.
    pub(crate) fn beginning(&self) -> &Arc<Counts> {
        &self.beginning
    }

    /// Everything counted by now: read anew, unless it was read at or after a time, or the session is over.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn counts(
        &self,
        not_before: Instant,
        read: impl FnOnce() -> Result<Reading, Failure>,
    ) -> Result<Arc<Counts>, Failure> {
        let mut inner = self.inner.lock();
        if !inner.over
            && (inner.latest.moment.at < not_before || Arc::ptr_eq(&inner.latest, &self.beginning))
        {
            inner.take(read()?);
        }
        Ok(inner.latest.clone())
    }

    /// Adds a step to what is remembered.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn remember(
        &self,
        read: impl FnOnce() -> Result<Reading, Failure>,
    ) -> Result<(), Failure> {
        let counts = self.counts(Instant::now(), read)?;
        let mut inner = self.inner.lock();
        if !inner.over {
            inner.past.add(&counts);
        }
        Ok(())
    }

    /// The last reading: the session is over.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn finish(
        &self,
        read: impl FnOnce() -> Result<Reading, Failure>,
    ) -> Result<(), Failure> {
        let mut inner = self.inner.lock();
        if !inner.over {
            inner.take(read()?);
            inner.over = true;
        }
        Ok(())
    }

    /// What was counted in the last so long before `counts`, and since when that really is.
    pub(crate) fn window(&self, counts: &Counts, length: std::time::Duration) -> (Moment, Rows) {
        self.inner.lock().past.window(counts, length)
    }

    /// Lets what is remembered go, and without readers all of it.
    pub(crate) fn clear(&self, read: bool) {
        let mut inner = self.inner.lock();
        inner.past.clear();
        if !read {
            inner.latest = self.beginning.clone();
        }
    }
}

impl Inner {
    fn take(&mut self, reading: Reading) {
        let Reading {
            totals,
            groups,
            max_groups,
        } = reading;
        self.latest = Arc::new(Counts {
            moment: now(),
            totals,
            groups: self.groups.fold(groups, max_groups),
        });
    }
}

fn now() -> Moment {
    Moment {
        at: Instant::now(),
        unix_ns: clock::wall_ns(),
    }
}

/// Which groups a session has: the first `max_groups` that came. What is counted elsewhere once stays there, so that counts
/// only grow.
#[derive(Debug, Default)]
struct Groups {
    /// Where each group of the engines is counted.
    places: HashMap<Arc<Group>, Arc<Group>>,
    own: usize,
}

impl Groups {
    fn fold(
        &mut self,
        mut groups: Vec<(Group, Histogram)>,
        max_groups: usize,
    ) -> HashMap<Arc<Group>, Histogram> {
        // Of those that came at once the largest are kept.
        groups.sort_by_cached_key(|it| std::cmp::Reverse(it.1.count()));
        let mut folded = HashMap::<Arc<Group>, Histogram>::with_capacity(groups.len());
        for (group, histogram) in groups {
            let place = self.place(group, max_groups);
            match folded.get_mut(&place) {
                Some(known) => known.merge(&histogram),
                None => drop(folded.insert(place, histogram)),
            }
        }
        folded
    }

    fn place(&mut self, group: Group, max_groups: usize) -> Arc<Group> {
        if let Some(place) = self.places.get(&group) {
            return place.clone();
        }
        let group = Arc::new(group);
        let place = if group.other {
            group.clone()
        } else if self.own < max_groups {
            self.own += 1;
            group.clone()
        } else {
            let other = Arc::new(group::other(group.metric, group.probe));
            self.places.entry(other.clone()).or_insert(other).clone()
        };
        self.places.insert(group, place.clone());
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(port: u16) -> Group {
        Group {
            metric: 3,
            keys: [("server_port".to_owned(), port.to_string())].into(),
            ..Group::default()
        }
    }

    fn counted(count: u64) -> Histogram {
        let mut histogram = Histogram::new(3);
        (0..count).for_each(|_| histogram.record(1));
        histogram
    }

    fn reading(groups: &[(Group, u64)], max_groups: usize) -> Reading {
        Reading {
            totals: Totals::default(),
            groups: groups
                .iter()
                .map(|it| (it.0.clone(), counted(it.1)))
                .collect(),
            max_groups,
        }
    }

    fn told(counts: &Counts) -> Vec<(String, u64)> {
        let name = |it: &Group| {
            it.keys
                .get("server_port")
                .cloned()
                .unwrap_or("other".into())
        };
        let mut told = counts
            .groups
            .iter()
            .map(|it| (name(it.0), it.1.count()))
            .collect::<Vec<_>>();
        told.sort();
        told
    }

    #[test]
    fn groups_beyond_the_bound_are_one_and_stay_so() {
        let store = Store::new();
        let read = |groups: &[(Group, u64)], max| {
            store
                .counts(Instant::now(), || Ok(reading(groups, max)))
                .unwrap()
        };
        let first = read(&[(group(1), 1), (group(2), 5), (group(3), 3)], 2);
        assert_eq!(
            told(&first),
            [("2".into(), 5), ("3".into(), 3), ("other".into(), 1)]
        );
        let engine_other = super::group::other(3, 0);
        let second = read(
            &[
                (group(1), 9),
                (group(2), 5),
                (group(3), 3),
                (group(4), 2),
                (engine_other, 10),
            ],
            9,
        );
        assert_eq!(
            told(&second),
            [
                ("2".into(), 5),
                ("3".into(), 3),
                ("4".into(), 2),
                ("other".into(), 19)
            ]
        );
        let since = second
            .since(&first)
            .iter()
            .map(|it| it.1.count())
            .sum::<u64>();
        assert_eq!(since, 20);
    }

    #[test]
    fn one_reading_serves_whoever_asks_for_what_it_has() {
        let store = Store::new();
        let first = store
            .counts(store.beginning().moment.at, || Ok(reading(&[], 1)))
            .unwrap();
        let same = store
            .counts(first.moment.at, || panic!("read again"))
            .unwrap();
        assert!(Arc::ptr_eq(&first, &same));
        store.finish(|| Ok(reading(&[(group(1), 2)], 1))).unwrap();
        store.finish(|| panic!("read again")).unwrap();
        let last = store
            .counts(Instant::now(), || panic!("read again"))
            .unwrap();
        assert_eq!(told(&last), [("1".into(), 2)]);
    }
}
