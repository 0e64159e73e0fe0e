//! Checks what a reader of histograms asks for.

use std::time::Duration;

use crate::{
    failure::{Failure, Reason},
    histogram::shape::{GROUPS_MAX, Shape},
    proto::StreamHistogramsRequest,
    scope::Redaction,
    spec::{compiled::Collection, time, violations::Violations},
};

/// An interval where the client says nothing.
const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);
/// Groups where the client says nothing.
const GROUPS: u32 = 1000;

/// A checked request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) interval: Duration,
    pub(super) cumulative: bool,
    pub(super) max_groups: usize,
    pub(super) shape: Shape,
}

/// Checks every field; `collection` is the session's.
///
/// # Errors
/// `INVALID_ARGUMENT` with a violation for each wrong field, `REDACTION_DENIED` for keys that are finer than what is told.
pub(super) fn check(
    request: &StreamHistogramsRequest,
    collection: &Collection,
    node: &str,
    redaction: Redaction,
) -> Result<Request, Failure> {
    let mut violations = Violations::default();
    let interval = request.interval.as_ref().and_then(|it| {
        let interval = time::duration_ns(it).and_then(|it| {
            let interval = Duration::from_nanos(it);
            if (INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
                Ok(interval)
            } else {
                Err("must be from 100 ms to 1 day".into())
            }
        });
        violations.take(Reason::DurationInvalid, "interval", interval)
    });
    if request.max_groups > GROUPS_MAX {
        violations.add(
            Reason::FieldInvalid,
            "max_groups",
            format!("{} is above {GROUPS_MAX}", request.max_groups),
        );
    }
    let max_groups = match request.max_groups {
        0 => GROUPS,
        groups => groups,
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
    Ok(Request {
        interval: interval.unwrap_or(INTERVAL),
        cumulative: request.cumulative,
        max_groups: max_groups as usize,
        shape,
    })
}
