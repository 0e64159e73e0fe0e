//! How one client wants groups: by fewer keys, and not more than so many.

use std::{collections::HashMap, sync::Arc};

use super::{Histogram, counts::Rows, group};
use crate::{
    failure::Reason,
    proto::{Group, GroupBy},
    scope::{self, Redaction},
    spec::{compiled::Collection, violations::Violations},
};

/// Most groups that a client asks for.
pub(crate) const GROUPS_MAX: u32 = 65_536;

/// Which keys groups are told by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// `None`: all that the session has.
    keys: Option<Vec<&'static str>>,
    /// Value of the key `node`, where it is wanted.
    node: Option<String>,
}

impl Shape {
    /// Checks `group_by` and `ungrouped` of a request against the keys of the session, and against what is withheld.
    pub(crate) fn check(
        group_by: &[i32],
        ungrouped: bool,
        collection: &Collection,
        node: &str,
        redaction: Redaction,
        violations: &mut Violations,
    ) -> Self {
        let session = &collection.group_by[..];
        if ungrouped && !group_by.is_empty() {
            violations.add(
                Reason::FieldInvalid,
                "ungrouped",
                "and group_by exclude each other",
            );
        }
        let mut wanted = Vec::new();
        for (index, number) in group_by.iter().enumerate() {
            let key = known(*number, session, &wanted);
            let field = format!("group_by[{index}]");
            wanted.extend(violations.take(Reason::FieldInvalid, field, key));
        }
        let all = group_by.is_empty() && !ungrouped;
        let told = if all { session } else { &wanted }.iter().copied();
        let field = |at| {
            if all {
                "group_by".into()
            } else {
                format!("group_by[{at}]")
            }
        };
        scope::refuse_keys(told, collection, redaction, field, violations);
        let by_node = |keys: &[GroupBy]| keys.contains(&GroupBy::Node);
        Self {
            node: by_node(if all { session } else { &wanted }).then(|| node.to_owned()),
            keys: (!all).then(|| wanted.into_iter().map(group::key).collect()),
        }
    }

    /// The rows by the wanted keys, the largest first and `other` last; beyond `max_groups` they are `other` of their metric.
    pub(crate) fn apply(&self, rows: Rows, max_groups: usize) -> Rows {
        let mut rows = self.regroup(rows);
        sort(&mut rows);
        let own = rows.iter().take_while(|it| !it.0.other).count();
        if own > max_groups {
            let mut others = HashMap::new();
            for (group, histogram) in rows.drain(max_groups..) {
                merge(
                    &mut others,
                    group::other(group.metric, group.probe),
                    histogram,
                );
            }
            rows.extend(others.into_iter().map(|it| (Arc::new(it.0), it.1)));
            sort(&mut rows);
        }
        rows
    }

    /// A group as the client is told it.
    pub(crate) fn name(&self, group: &Group) -> Group {
        let mut group = group.clone();
        if let (Some(node), false) = (&self.node, group.other) {
            let key = group::key(GroupBy::Node).to_owned();
            group.keys.insert(key, node.clone());
        }
        group
    }

    fn regroup(&self, rows: Rows) -> Rows {
        let Some(keys) = &self.keys else {
            return rows;
        };
        let mut merged = HashMap::new();
        for (group, histogram) in rows {
            let mut group = Group::clone(&group);
            group.keys.retain(|key, _| keys.contains(&key.as_str()));
            merge(&mut merged, group, histogram);
        }
        let merged = merged.into_iter();
        merged.map(|it| (Arc::new(it.0), it.1)).collect()
    }
}

fn known(number: i32, session: &[GroupBy], before: &[GroupBy]) -> Result<GroupBy, String> {
    match GroupBy::try_from(number) {
        Ok(GroupBy::Unspecified) | Err(_) => Err(format!("{number} is not a key of groups")),
        Ok(key) if before.contains(&key) => Err(format!("{} is there twice", key.as_str_name())),
        Ok(key) if session.contains(&key) => Ok(key),
        Ok(key) => {
            let own = session.iter().map(GroupBy::as_str_name);
            let own = own.collect::<Vec<_>>().join(", ");
            let own = if own.is_empty() {
                "does not group".into()
            } else {
                format!("groups by {own} only")
            };
            let key = key.as_str_name();
            Err(format!(
                "{key} is finer than what is counted: the session {own}"
            ))
        }
    }
}

fn merge(merged: &mut HashMap<Group, Histogram>, group: Group, histogram: Histogram) {
    match merged.get_mut(&group) {
        Some(known) => known.merge(&histogram),
        None => drop(merged.insert(group, histogram)),
    }
}

/// The largest first, `other` last; of equal ones in the order of their keys.
fn sort(rows: &mut Rows) {
    rows.sort_by_cached_key(|(group, histogram)| {
        let count = std::cmp::Reverse(histogram.count());
        (group.other, count, group.clone())
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::histogram::testing;

    /// Latencies by client and server: (client, server, latency).
    fn rows(latencies: &[(u8, u8, u64)]) -> Rows {
        let mut groups = HashMap::new();
        for (client, server, latency) in latencies {
            let keys = [("client_prefix", client), ("server_port", server)];
            let group = Group {
                metric: 3,
                keys: keys
                    .into_iter()
                    .map(|it| (it.0.to_owned(), it.1.to_string()))
                    .collect(),
                ..Group::default()
            };
            groups
                .entry(group)
                .or_insert_with(|| Histogram::new(3))
                .record(*latency);
        }
        groups
            .into_iter()
            .map(|it| (Arc::new(it.0), it.1))
            .collect()
    }

    const SESSION: [GroupBy; 3] = [GroupBy::ClientPrefix, GroupBy::ServerPort, GroupBy::Node];

    fn shape(group_by: &[GroupBy], ungrouped: bool) -> Shape {
        let numbers = group_by.iter().map(|it| *it as i32).collect::<Vec<_>>();
        let mut violations = Violations::default();
        let shape = Shape::check(
            &numbers,
            ungrouped,
            &testing::collection(&SESSION),
            "nodes/a",
            Redaction::default(),
            &mut violations,
        );
        violations.finish().unwrap();
        shape
    }

    fn refused(group_by: &[i32], ungrouped: bool) -> Vec<String> {
        let mut violations = Violations::default();
        Shape::check(
            group_by,
            ungrouped,
            &testing::collection(&SESSION),
            "nodes/a",
            Redaction::default(),
            &mut violations,
        );
        let failure = violations.finish().unwrap_err();
        let told = failure.violations().iter();
        told.map(|it| format!("{}: {}", it.field, it.description))
            .collect()
    }

    #[test]
    fn what_cannot_be_asked_for() {
        assert_eq!(
            refused(&[3, 0, 99, 3, 4], false),
            [
                "group_by[1]: 0 is not a key of groups",
                "group_by[2]: 99 is not a key of groups",
                "group_by[3]: GROUP_BY_SERVER_PORT is there twice",
                "group_by[4]: GROUP_BY_INTERFACE is finer than what is counted: the session groups by GROUP_BY_CLIENT_PREFIX, \
                 GROUP_BY_SERVER_PORT, GROUP_BY_NODE only",
            ]
        );
        assert_eq!(
            refused(&[3], true),
            ["ungrouped: and group_by exclude each other"]
        );
    }

    #[test]
    fn the_node_is_a_key_where_it_is_wanted() {
        let rows = rows(&[(1, 2, 3)]);
        let node = |shape: Shape| {
            let rows = shape.apply(rows.clone(), 9);
            shape.name(&rows[0].0).keys.get("node").cloned()
        };
        assert_eq!(node(shape(&[], false)), Some("nodes/a".into()));
        assert_eq!(node(shape(&[GroupBy::Node], false)), Some("nodes/a".into()));
        assert_eq!(node(shape(&[GroupBy::ServerPort], false)), None);
        assert_eq!(node(shape(&[], true)), None);
    }

    fn any_latencies() -> impl Strategy<Value = Vec<(u8, u8, u64)>> {
        proptest::collection::vec((0..4_u8, 0..4_u8, 0..1_000_000_u64), 0..100)
    }

    proptest! {
        #[test]
        fn regrouping_is_counting_by_fewer_keys(latencies in any_latencies()) {
            let by_server = shape(&[GroupBy::ServerPort], false).apply(rows(&latencies), 99);
            let mut expected = HashMap::<String, Histogram>::new();
            for (_, server, latency) in &latencies {
                expected.entry(server.to_string()).or_insert_with(|| Histogram::new(3)).record(*latency);
            }
            prop_assert_eq!(by_server.len(), expected.len());
            for (group, histogram) in &by_server {
                prop_assert_eq!(group.keys.len(), 1);
                let expected = crate::proto::Histogram::from(&expected[&group.keys["server_port"]]);
                prop_assert_eq!(crate::proto::Histogram::from(histogram), expected);
            }
        }

        #[test]
        fn the_largest_are_kept_and_the_rest_is_other(latencies in any_latencies(), max in 1..6_usize) {
            let all = shape(&[], false).apply(rows(&latencies), 99);
            let few = shape(&[], false).apply(rows(&latencies), max);
            prop_assert_eq!(&few[..max.min(few.len())], &all[..max.min(all.len())]);
            prop_assert_eq!(few.len(), all.len().min(max + 1));
            let rest = all.iter().skip(max).map(|it| it.1.count()).sum::<u64>();
            prop_assert_eq!(few.get(max).map_or(0, |it| it.1.count()), rest);
            prop_assert!(few.get(max).is_none_or(|it| it.0.other));
        }
    }
}
