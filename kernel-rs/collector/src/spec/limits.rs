//! Checks when a session ends and how much of it is kept.

use super::{compiled::Limits, time, violations::Violations};
use crate::{failure::Reason, proto};

const SECOND_NS: u64 = 1_000_000_000;
/// A session that nobody reads ends after so long, where neither client nor server says otherwise.
const IDLE_TIMEOUT_NS: u64 = 600 * SECOND_NS;
/// Results are kept so long, where neither client nor server says otherwise.
const RETAIN_NS: u64 = 600 * SECOND_NS;
/// Samples are kept in so many bytes, where neither client nor server says otherwise.
const HISTORY_BYTES: u64 = 32 << 20;

/// Longest that a session waits for a reader, and that its results are kept; what is asked beyond is clamped.
const WAIT_MAX_NS: u64 = 24 * 3600 * SECOND_NS;
/// Most bytes of samples that a session keeps; what is asked beyond is clamped.
const HISTORY_BYTES_MAX: u64 = 256 << 20;

/// Checks `spec.limits`, and clamps them: whoever may open sessions must not be able to exhaust the host.
pub(crate) fn compile(limits: &proto::Limits, path: &str, violations: &mut Violations) -> Limits {
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
    let idle_timeout_ns = positive("idle_timeout", idle_timeout).unwrap_or(IDLE_TIMEOUT_NS);
    let retain_ns = retain
        .as_ref()
        .and_then(|it| {
            violations.take(
                Reason::DurationInvalid,
                format!("{path}.retain"),
                time::duration_ns(it),
            )
        })
        .unwrap_or(RETAIN_NS);
    Limits {
        duration_ns,
        max_samples: *max_samples,
        idle_timeout_ns: idle_timeout_ns.min(WAIT_MAX_NS),
        retain_ns: retain_ns.min(WAIT_MAX_NS),
        history_bytes: history_bytes
            .unwrap_or(HISTORY_BYTES)
            .min(HISTORY_BYTES_MAX),
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
