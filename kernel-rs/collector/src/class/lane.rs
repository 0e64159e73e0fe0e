//! A session as the programs see it: bits of a mask, each with clauses and the metrics they speak of.

use latscope_events::{SESSIONS, config::CLAUSES};

use super::{asked::Asked, grouping::Grouping};
use crate::{
    failure::{Failure, Reason},
    metric::{self, EngineKind, Row},
    spec::compiled::{Clause, CompiledSpec},
};

/// What one bit of the mask stands for. A session has more than one only when its clauses speak of different metrics.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lane {
    /// Bit n is `Metric` n.
    pub(crate) metrics: u32,
    /// OR; empty is everything.
    pub(crate) filters: Vec<Clause>,
    /// Wins over `filters`.
    pub(crate) exclude: Vec<Clause>,
    /// Individual samples a second and CPU; 0 = no cap.
    pub(crate) cap: u32,
    /// Ports and timeouts.
    pub(crate) asked: Asked,
    /// What its histograms are grouped by.
    pub(crate) grouping: Grouping,
    /// No individual samples.
    pub(crate) histograms_only: bool,
    /// Faster latencies give no individual sample.
    pub(crate) min_latency_ns: u64,
}

impl Lane {
    /// A lane of all that has these metrics.
    pub(crate) fn unfiltered(metrics: u32) -> Self {
        Self {
            metrics,
            filters: Vec::new(),
            exclude: Vec::new(),
            cap: 0,
            asked: Asked::default(),
            grouping: Grouping::default(),
            histograms_only: false,
            min_latency_ns: 0,
        }
    }
}

/// The lanes of a session: metrics that the same clauses speak of share one.
///
/// # Errors
/// `CAPACITY_EXHAUSTED` when more clauses speak of one metric than the programs have room for.
pub(crate) fn of(spec: &CompiledSpec) -> Result<Vec<Lane>, Failure> {
    of_engine(spec, EngineKind::Packet)
}

/// As [`of`], for the metrics of another engine.
///
/// # Errors
/// As [`of`].
pub(crate) fn of_engine(spec: &CompiledSpec, engine: EngineKind) -> Result<Vec<Lane>, Failure> {
    let mut lanes: Vec<Lane> = Vec::new();
    let asked = Asked::of(spec);
    for row in metric::rows(spec.metrics()) {
        if row.engine != engine {
            continue;
        }
        let filters = applying(&spec.filters, row);
        if filters.is_empty() && !spec.filters.is_empty() {
            continue;
        }
        let exclude = applying(&spec.exclude, row);
        for (list, field) in [(&filters, "spec.filters"), (&exclude, "spec.exclude")] {
            if list.len() > CLAUSES {
                return Err(too_many(list.len(), field));
            }
        }
        let bit = metric::bit(row.metric);
        if let Some(lane) = lanes
            .iter_mut()
            .find(|it| it.filters == filters && it.exclude == exclude)
        {
            lane.metrics |= bit;
        } else {
            let collection = &spec.collection;
            lanes.push(Lane {
                filters,
                exclude,
                asked: asked.clone(),
                cap: collection.max_samples_per_second,
                grouping: Grouping::of(collection, row.group_by),
                histograms_only: collection.histograms_only,
                min_latency_ns: collection.sample_min_latency_ns,
                ..Lane::unfiltered(bit)
            });
        }
    }
    Ok(lanes)
}

/// A bit for each lane, those of `old` first: a lane that only changes its filter keeps its bit. `used` are those of all sessions
/// of the engine.
///
/// # Errors
/// `CAPACITY_EXHAUSTED` when no bit is left.
pub(crate) fn assign<'a>(
    engine: &str,
    used: impl Iterator<Item = &'a (u32, Lane)>,
    old: &[(u32, Lane)],
    lanes: Vec<Lane>,
) -> Result<Vec<(u32, Lane)>, Failure> {
    let used = used.fold(0_u64, |used, (bit, _)| used | 1 << bit);
    let free = (0..SESSIONS as u32).filter(|bit| used >> bit & 1 == 0);
    let bits: Vec<u32> = old
        .iter()
        .map(|(bit, _)| *bit)
        .chain(free)
        .take(lanes.len())
        .collect();
    if bits.len() < lanes.len() {
        let text = format!(
            "the {engine} engine serves {SESSIONS} sessions at once (more, if their filters speak of single metrics, count twice); stop one"
        );
        return Err(Failure::new(Reason::CapacityExhausted, text.clone())
            .with_quota(format!("{engine} sessions"), text));
    }
    Ok(bits.into_iter().zip(lanes).collect())
}

/// The lanes whose bits are none of `others`'.
pub(crate) fn without(lanes: &[(u32, Lane)], others: &[(u32, Lane)]) -> Vec<(u32, Lane)> {
    lanes
        .iter()
        .filter(|(bit, _)| others.iter().all(|(other, _)| other != bit))
        .cloned()
        .collect()
}

/// Clauses that can match the metric.
fn applying(clauses: &[Clause], row: &Row) -> Vec<Clause> {
    clauses
        .iter()
        .filter(|it| it.can_match(row))
        .cloned()
        .collect()
}

fn too_many(count: usize, field: &str) -> Failure {
    let text = format!(
        "{field} has {count} clauses for one metric, at most {CLAUSES} are evaluated in the kernel; join CIDRs and ports in one clause"
    );
    Failure::new(Reason::CapacityExhausted, text.clone()).with_quota(field, text)
}
