//! What this host offers the span engine, found out by trying.

use std::{collections::HashMap, sync::OnceLock};

use parking_lot::Mutex;

use crate::{
    failure::{Failure, Reason},
    metric::{self, EngineKind, Row},
    proto::{Capability, HookResult, Metric},
};

/// The hook that serves a metric, or why none does.
type Outcome = Result<&'static str, String>;

/// Outcomes, which do not change while the kernel runs.
fn tried() -> &'static Mutex<HashMap<Metric, Outcome>> {
    static TRIED: OnceLock<Mutex<HashMap<Metric, Outcome>>> = OnceLock::new();
    TRIED.get_or_init(Mutex::default)
}

/// A row for every metric of the engine; each is tried once.
pub(super) fn rows(
    mut try_out: impl FnMut(Metric) -> Result<&'static str, Failure>,
) -> Vec<Capability> {
    metric::rows(u32::MAX)
        .filter(|row| row.engine == EngineKind::Span)
        .map(|row| {
            let mut tried = tried().lock();
            let outcome = tried.entry(row.metric).or_insert_with(|| {
                try_out(row.metric).map_err(|failure| failure.message().to_owned())
            });
            capability(row, outcome)
        })
        .collect()
}

fn capability(row: &Row, outcome: &Outcome) -> Capability {
    let (hook, reason) = match outcome {
        Ok(hook) => (*hook, String::new()),
        Err(reason) => ("", with_alternative(row.metric, reason)),
    };
    let result = |(name, minimum): &(&str, &str)| HookResult {
        hook: (*name).into(),
        minimum_kernel: (*minimum).into(),
        works: *name == hook,
        reason: match outcome {
            // Those before it were tried.
            Ok(hook) if hook != name => {
                match row.hooks.iter().find(|it| it.0 == *name || it.0 == *hook) {
                    Some(first) if first.0 == *name => format!("does not serve here, {hook} does"),
                    _ => format!("not tried, {hook} serves"),
                }
            }
            Err(reason) => reason.clone(),
            Ok(_) => String::new(),
        },
    };
    Capability {
        metric: row.metric.into(),
        supported: outcome.is_ok(),
        hook: hook.into(),
        hooks: row.hooks.iter().map(result).collect(),
        reason,
        filter_fields: row
            .filter_fields
            .iter()
            .map(|field| field.name().into())
            .collect(),
        group_by: row
            .group_by
            .iter()
            .map(|group| group.as_str_name().into())
            .collect(),
    }
}

/// What a client hears when a metric cannot be had here.
pub(super) fn refusal(metric: Metric, why: &Failure) -> Failure {
    if !why.reason().is_of_host() {
        return why.clone();
    }
    let name = metric.as_str_name();
    let reason = with_alternative(metric, why.message());
    let hook = metric::row(metric).map_or("", |row| row.hooks[0].0);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kind = match why.reason() {
        Reason::PrivilegeMissing => return why.clone(),
        _ => "CAPABILITY",
    };
    why.metadata()
        .iter()
        .fold(
            Failure::new(
                why.reason(),
                format!("{name} cannot be measured here: {reason}"),
            ),
            |failure, (key, value)| failure.with_metadata(key, value),
        )
        .with_precondition(kind, hook, reason)
        .with_metadata("metric", name)
        .with_metadata("kernel", kernel.trim())
}

/// The reason, and what to measure instead.
fn with_alternative(metric: Metric, reason: &str) -> String {
    match metric {
        Metric::KernelFunction => {
            format!("{reason}; METRIC_TRACEPOINT_PAIR measures between two tracepoints")
        }
        _ => reason.into(),
    }
}
