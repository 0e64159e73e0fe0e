//! `GetSnapshot`: one answer with quantiles of the largest groups.

use std::{cmp::Reverse, time::Duration};

use prost::Message as _;
use tokio::time::Instant;

use super::{
    Histogram,
    counts::Rows,
    shape::{GROUPS_MAX, Shape},
};
use crate::{
    failure::{Failure, Reason},
    proto::{
        GetSnapshotRequest, GetSnapshotResponse, Group, GroupSummary, ProgramStats, Quantile,
        SessionStats,
    },
    scope::{self, Redaction, Scope},
    session::Session,
    spec::{compiled::Collection, time, violations::Violations},
};

/// Quantiles where the client says nothing.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
const QUANTILES_MAX: usize = 100;
/// Groups where the client says nothing.
const TOP: u32 = 20;
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// What a message holds beside groups and statistics, and around each group, at most.
const ENVELOPE_BYTES: usize = 4096;
const FRAME_BYTES: usize = 6;

/// A checked request.
struct Request {
    quantiles: Vec<f64>,
    top: usize,
    window: Option<Duration>,
    order: Order,
    include_histograms: bool,
    shape: Shape,
}

/// By what groups are sorted, the largest first.
#[derive(Clone, Copy)]
enum Order {
    Count,
    Max,
    P99,
}

/// Answers for one session.
///
/// # Errors
/// `INVALID_ARGUMENT` with a violation for each wrong field; `TARGET_DENIED`, `REDACTION_DENIED`; `CLOSED`; `KERNEL_ERROR`.
pub(crate) fn answer(
    session: &Session,
    request: &GetSnapshotRequest,
    node: &str,
    scope: &Scope,
) -> Result<GetSnapshotResponse, Failure> {
    session.check_open()?;
    let request = check(request, &session.collection(), node, scope.redaction)?;
    let counts = session.counts(Instant::now())?;
    // After reading: what was counted before was counted by filters that are known now.
    let targets = scope.targets.as_ref();
    if targets.is_some_and(|it| !session.is_within(it)) {
        return Err(scope::histograms_denied());
    }
    let (start, rows) = match request.window {
        None => (session.store().beginning().moment, counts.rows()),
        Some(window) => session.store().window(&counts, window),
    };
    let mut rows = request.shape.apply(rows, usize::MAX);
    let total_groups = rows.len() as u32;
    request.order.sort(&mut rows);
    let mut stats = session.stats()?;
    stats.programs.iter_mut().for_each(shorten);
    Ok(GetSnapshotResponse {
        start_time: Some(time::timestamp(start.unix_ns)),
        end_time: Some(time::timestamp(counts.moment.unix_ns)),
        groups: request.summaries(&rows, &stats),
        stats: Some(stats),
        total_groups,
        failures: Vec::new(),
    })
}

/// What only `SESSION_VIEW_FULL` shows.
fn shorten(program: &mut ProgramStats) {
    program.verifier_log = String::new();
    program.bytecode = Vec::new();
}

fn check(
    request: &GetSnapshotRequest,
    collection: &Collection,
    node: &str,
    redaction: Redaction,
) -> Result<Request, Failure> {
    let mut violations = Violations::default();
    violations.bound("quantiles", request.quantiles.len(), QUANTILES_MAX);
    for (index, quantile) in request.quantiles.iter().enumerate().take(QUANTILES_MAX) {
        if !(0.0..=1.0).contains(quantile) {
            violations.add(
                Reason::FieldInvalid,
                format!("quantiles[{index}]"),
                format!("{quantile} is not from 0 to 1"),
            );
        }
    }
    if request.top > GROUPS_MAX {
        violations.add(
            Reason::FieldInvalid,
            "top",
            format!("{} is above {GROUPS_MAX}", request.top),
        );
    }
    let window = request.window.as_ref().and_then(|it| {
        let window = time::positive_duration_ns(it);
        violations.take(Reason::DurationInvalid, "window", window)
    });
    let order = match request.order_by.as_str() {
        "" | "count" => Order::Count,
        "max_seconds" => Order::Max,
        "p99" => Order::P99,
        unknown => {
            violations.add(
                Reason::FieldInvalid,
                "order_by",
                format!("{unknown:?} is not \"count\", \"max_seconds\" or \"p99\""),
            );
            Order::Count
        }
    };
    let shape = Shape::check(
        &request.group_by,
        request.ungrouped,
        collection,
        node,
        redaction,
        &mut violations,
    );
    violations.finish()?;
    let top = match request.top {
        0 => TOP,
        top => top,
    };
    Ok(Request {
        quantiles: if request.quantiles.is_empty() {
            QUANTILES.into()
        } else {
            request.quantiles.clone()
        },
        top: top as usize,
        window: window.map(Duration::from_nanos),
        order,
        include_histograms: request.include_histograms,
        shape,
    })
}

impl Order {
    /// Rows come by count. What is above the last bucket, and not known better, is greater than anything.
    fn sort(self, rows: &mut Rows) {
        let quantile =
            |it: &Histogram, quantile| Reverse(it.quantile(quantile).unwrap_or(u64::MAX));
        match self {
            Self::Count => {}
            Self::Max => rows.sort_by_cached_key(|it| quantile(&it.1, 1.0)),
            Self::P99 => rows.sort_by_cached_key(|it| quantile(&it.1, 0.99)),
        }
    }
}

impl Request {
    /// The first groups, as many as were asked for and fit beside the statistics.
    fn summaries(&self, rows: &Rows, stats: &SessionStats) -> Vec<GroupSummary> {
        let mut left = MESSAGE_BYTES_MAX.saturating_sub(ENVELOPE_BYTES + stats.encoded_len());
        let rows = rows.iter().take(self.top);
        let summaries = rows.map(|(group, histogram)| self.summary(group, histogram));
        summaries
            .map_while(|it| {
                left = left.checked_sub(it.encoded_len() + FRAME_BYTES)?;
                Some(it)
            })
            .collect()
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers for scripts; the exact ones are in the histogram"
    )]
    fn summary(&self, group: &Group, histogram: &Histogram) -> GroupSummary {
        let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
        let count = histogram.count();
        let quantile = |quantile: &f64| {
            Some(Quantile {
                quantile: *quantile,
                latency_seconds: histogram.quantile(*quantile).map(seconds)?,
            })
        };
        GroupSummary {
            group: Some(self.shape.name(group)),
            count,
            min_seconds: histogram.min_ns().map(seconds),
            mean_seconds: seconds(histogram.sum_ns()) / count as f64,
            max_seconds: histogram.max_ns().map(seconds),
            quantiles: self.quantiles.iter().filter_map(quantile).collect(),
            histogram: self.include_histograms.then(|| histogram.into()),
        }
    }
}

#[cfg(test)]
mod tests;
