//! Checks when a session ends and how much of it is kept.

use super::{bounds::Bounds, compiled::Limits, time, violations::Violations};
use crate::{failure::Reason, proto};

/// Checks `spec.limits`, and clamps them to what the host grants.
pub(crate) fn compile(
    limits: &proto::Limits,
    bounds: &Bounds,
    path: &str,
    violations: &mut Violations,
) -> Limits {
    let proto::Limits {
        duration,
        max_samples,
        idle_timeout,
        retain,
        history_bytes,
    } = limits;
    if *max_samples == Some(0) {
        violations.add(
            Reason::FieldInvalid,
            format!("{path}.max_samples"),
            "must be above 0; unset means no limit",
        );
    }
    let mut positive = |name: &str, value: &Option<prost_types::Duration>| {
        let result = time::positive_duration_ns(value.as_ref()?);
        violations.take(Reason::DurationInvalid, format!("{path}.{name}"), result)
    };
    let duration_ns = positive("duration", duration);
    let idle_timeout_ns = positive("idle_timeout", idle_timeout).unwrap_or(bounds.idle_timeout_ns);
    let retain_ns = retain
        .as_ref()
        .and_then(|it| {
            violations.take(
                Reason::DurationInvalid,
                format!("{path}.retain"),
                time::duration_ns(it),
            )
        })
        .unwrap_or(bounds.retain_ns);
    Limits {
        duration_ns: bounds.duration_ns(duration_ns),
        max_samples: *max_samples,
        idle_timeout_ns: idle_timeout_ns.min(bounds.idle_timeout_max_ns),
        retain_ns: retain_ns.min(bounds.retain_max_ns),
        history_bytes: history_bytes
            .unwrap_or(bounds.history_bytes)
            .min(bounds.history_bytes_max),
    }
}

impl From<&Limits> for proto::Limits {
    fn from(limits: &Limits) -> Self {
        let Limits {
            duration_ns,
            max_samples,
            idle_timeout_ns,
            retain_ns,
            history_bytes,
        } = *limits;
        Self {
            duration: duration_ns.map(time::duration),
            max_samples,
            idle_timeout: Some(time::duration(idle_timeout_ns)),
            retain: Some(time::duration(retain_ns)),
            history_bytes: Some(history_bytes),
        }
    }
}
