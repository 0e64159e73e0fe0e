//! A session's lanes: those of its filters, inside the cgroup of each probe.

use crate::{
    class::lane::{Lane, of_engine},
    failure::Failure,
    metric::{self, EngineKind},
    proto::probe::Kind,
    spec::{
        clause::cgroup_is_below,
        compiled::{Clause, CompiledSpec},
    },
};

/// # Errors
/// `CAPACITY_EXHAUSTED` when more clauses speak of one metric than the program has room for.
pub(super) fn of(spec: &CompiledSpec) -> Result<Vec<Lane>, Failure> {
    let mut lanes = Vec::new();
    for probe in &spec.probes {
        let Kind::Socket(socket) = &probe.kind else {
            continue;
        };
        let mut own = spec.clone();
        own.probes = vec![probe.clone()];
        let path = socket.cgroup_path.trim_end_matches('/');
        if !path.is_empty() {
            own.filters = inside(path, &spec.filters);
        }
        lanes.extend(of_engine(&own, EngineKind::Socket)?);
    }
    Ok(lanes)
}

/// The clauses, of sockets in a cgroup.
fn inside(path: &str, filters: &[Clause]) -> Vec<Clause> {
    if filters.is_empty() {
        return vec![Clause {
            cgroup_paths: vec![path.into()],
            ..Clause::everything()
        }];
    }
    let narrowed = |clause: &Clause| {
        let paths: Vec<String> = if clause.cgroup_paths.is_empty() {
            vec![path.into()]
        } else {
            let narrower = |other: &String| {
                let other = other.as_str();
                match (cgroup_is_below(other, path), cgroup_is_below(path, other)) {
                    (true, _) => Some(other.into()),
                    (_, true) => Some(path.into()),
                    _ => None,
                }
            };
            clause.cgroup_paths.iter().filter_map(narrower).collect()
        };
        (!paths.is_empty()).then(|| Clause {
            cgroup_paths: paths,
            ..clause.clone()
        })
    };
    let narrowed: Vec<Clause> = filters.iter().filter_map(narrowed).collect();
    if narrowed.is_empty() {
        // No cgroup is in both: a clause that speaks of no metric keeps the session from matching everything.
        return vec![Clause {
            metrics: metric::bit(crate::proto::Metric::Unspecified),
            ..Clause::everything()
        }];
    }
    narrowed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_paths(paths: &[&str]) -> Clause {
        Clause {
            cgroup_paths: paths.iter().map(|it| (*it).into()).collect(),
            ..Clause::everything()
        }
    }

    #[test]
    fn a_probe_s_cgroup_narrows_every_clause() {
        let paths = |filters: &[Clause]| -> Vec<Vec<String>> {
            inside("/a", filters)
                .into_iter()
                .map(|it| it.cgroup_paths)
                .collect()
        };
        assert_eq!(paths(&[]), [["/a"]]);
        assert_eq!(paths(&[of_paths(&[])]), [["/a"]]);
        assert_eq!(paths(&[of_paths(&["/a/b", "/c"])]), [["/a/b"]]);
        assert_eq!(paths(&[of_paths(&["/"])]), [["/a"]]);
        let none = inside("/a", &[of_paths(&["/ab"])]);
        assert_eq!((none.len(), none[0].metrics), (1, 1));
    }
}
