//! A probe as the programs see it: a bit of the mask, with what it accepts and wants.

use latscope_events::config::CLAUSES;

use super::{
    anchor::Anchor,
    function::{self, Function},
    subject,
};
use crate::{
    failure::{Failure, Reason},
    metric::{self, EngineKind, Row},
    proto::{GroupBy, Metric, probe::Kind},
    spec::{
        compiled::{Clause, CompiledProbe, CompiledSpec},
        time,
        violations::Violations,
    },
};

/// Interval of timers where a probe sets none.
pub(super) const TICK_NS: u64 = 10_000_000;

/// What one bit of the mask stands for. A probe has more than one only when clauses speak of some of its metrics.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lane {
    /// Index in `spec.probes`.
    pub(super) probe: u32,
    /// Bit n is `Metric` n.
    pub(super) metrics: u32,
    /// OR; never empty.
    pub(super) filters: Vec<Accepted>,
    /// Wins over `filters`.
    pub(super) exclude: Vec<Accepted>,
    /// Individual samples a second and CPU; 0 = no cap.
    pub(super) cap: u32,
    /// Faster latencies are no sample of their own.
    pub(super) min_latency_ns: u64,
    /// None is.
    pub(super) histograms_only: bool,
    /// Histogram keys.
    pub(super) group_by: Vec<GroupBy>,
    /// A start so old has no end.
    pub(super) timeout_ns: Option<u64>,
    /// Only what failed.
    pub(super) failed_only: bool,
    /// The idle task too.
    pub(super) idle: bool,
    /// Interval of its timers.
    pub(super) tick_ns: Option<u64>,
    /// What is called.
    pub(super) function: Option<Function>,
    /// What else its own programs are attached to.
    pub(super) anchor: Option<Anchor>,
}

/// One clause, in the numbers that the programs look up; an empty list is no condition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Accepted {
    pub(super) pids: Vec<u32>,
    pub(super) comms: Vec<String>,
    /// Ids of cgroups.
    pub(super) cgroups: Vec<u64>,
    /// Subjects by metric; `None` = any.
    pub(super) subjects: Option<Vec<(Metric, u64)>>,
}

impl Accepted {
    /// The same of one process alone; `None` if it is of others.
    fn of(mut self, pid: u32) -> Option<Self> {
        if !self.pids.is_empty() && !self.pids.contains(&pid) {
            return None;
        }
        self.pids = vec![pid];
        Some(self)
    }
}

/// The lanes of a session.
///
/// # Errors
/// `FIELD_INVALID` for names that this host does not know, with the path of each; `CAPACITY_EXHAUSTED` when more clauses
/// speak of one metric than the programs have room for.
pub(super) fn of(spec: &CompiledSpec) -> Result<Vec<Lane>, Failure> {
    let mut violations = Violations::default();
    let mut lanes = Vec::new();
    for probe in &spec.probes {
        let function = function::of(probe)?;
        let anchor = Anchor::of(probe)?;
        for row in metric::rows(probe.metrics).filter(|row| row.engine == EngineKind::Span) {
            let named = subject::of_probe(probe, &mut violations);
            let filters = accepted(
                &spec.filters,
                "spec.filters",
                row,
                named.as_ref(),
                &mut violations,
            );
            let mut exclude = accepted(&spec.exclude, "spec.exclude", row, None, &mut violations);
            let filters = match (filters.is_empty(), spec.filters.is_empty()) {
                (true, true) => vec![Accepted {
                    subjects: named,
                    ..Accepted::default()
                }],
                // No clause of the session speaks of it.
                (true, false) => continue,
                _ => filters,
            };
            let filters = match function.as_ref().and_then(|it| it.pid) {
                Some(pid) => filters
                    .into_iter()
                    .filter_map(|it| it.of(pid.get()))
                    .collect(),
                None => filters,
            };
            exclude.retain(|it| it.subjects.as_ref().is_none_or(|it| !it.is_empty()));
            for (list, field) in [(&filters, "spec.filters"), (&exclude, "spec.exclude")] {
                if list.len() > CLAUSES {
                    return Err(too_many(list.len(), field));
                }
            }
            let lane = Lane {
                function: function.clone(),
                anchor: anchor.clone(),
                ..lane(spec, probe, row, filters, exclude)
            };
            join(&mut lanes, lane);
        }
    }
    violations.finish()?;
    Ok(lanes)
}

fn lane(
    spec: &CompiledSpec,
    probe: &CompiledProbe,
    row: &Row,
    filters: Vec<Accepted>,
    exclude: Vec<Accepted>,
) -> Lane {
    let collection = &spec.collection;
    Lane {
        probe: probe.index,
        metrics: metric::bit(row.metric),
        filters,
        exclude,
        cap: collection.max_samples_per_second,
        min_latency_ns: collection.sample_min_latency_ns,
        histograms_only: collection.histograms_only,
        group_by: collection
            .group_by
            .iter()
            .copied()
            .filter(|key| row.group_by.contains(key))
            .collect(),
        timeout_ns: probe.timeout_ns,
        failed_only: matches!(&probe.kind, Kind::Syscall(it) if it.failed_only),
        idle: matches!(&probe.kind, Kind::OffCpu(it) if it.include_idle),
        tick_ns: match &probe.kind {
            // Checked before; an unset one is the default.
            Kind::CpuStall(it) => {
                let interval = it.interval.as_ref().map(time::positive_duration_ns);
                Some(interval.and_then(Result::ok).unwrap_or(TICK_NS))
            }
            _ => None,
        },
        function: None,
        anchor: None,
    }
}

/// Metrics of a probe that agree in everything share a lane.
fn join(lanes: &mut Vec<Lane>, lane: Lane) {
    let same = lanes.iter_mut().find(|it| {
        Lane {
            metrics: lane.metrics,
            ..(**it).clone()
        } == lane
    });
    match same {
        Some(it) => it.metrics |= lane.metrics,
        None => lanes.push(lane),
    }
}

/// The clauses that can match a metric, narrowed to what its probe names.
fn accepted(
    clauses: &[Clause],
    path: &str,
    row: &Row,
    named: Option<&Vec<(Metric, u64)>>,
    violations: &mut Violations,
) -> Vec<Accepted> {
    clauses
        .iter()
        .enumerate()
        .filter(|(_, it)| it.can_match(row))
        .map(|(index, clause)| {
            let path = format!("{path}[{index}]");
            let subjects = subject::of_clause(row.metric, &clause.subjects, &path, violations);
            Accepted {
                pids: clause.pids.clone(),
                comms: clause.comms.clone(),
                cgroups: cgroups(&clause.cgroup_paths, &path, violations),
                subjects: match (named, subjects) {
                    (Some(named), Some(mut both)) => {
                        both.retain(|it| named.contains(it));
                        Some(both)
                    }
                    (named, subjects) => subjects.or_else(|| named.cloned()),
                },
            }
        })
        .collect()
}

fn cgroups(paths: &[String], path: &str, violations: &mut Violations) -> Vec<u64> {
    let paths = paths.iter().enumerate();
    paths
        .filter_map(|(index, name)| {
            violations.take(
                Reason::FieldInvalid,
                format!("{path}.cgroup_paths[{index}]"),
                super::task::cgroup::id(name),
            )
        })
        .collect()
}

fn too_many(count: usize, field: &str) -> Failure {
    let text = format!(
        "{field} has {count} clauses for one metric, at most {CLAUSES} are evaluated in the kernel; join values in one clause"
    );
    Failure::new(Reason::CapacityExhausted, text.clone()).with_quota(field, text)
}
