//! Durations and times of messages as nanoseconds.

use prost_types::{Duration, Timestamp};

const NANOS: i64 = 1_000_000_000;

/// A duration in nanoseconds.
///
/// # Errors
/// A negative one, one that is malformed, or one beyond what 63 bits hold (292 years).
pub(crate) fn duration_ns(duration: &Duration) -> Result<u64, String> {
    let Duration { seconds, nanos } = *duration;
    if seconds < 0 || nanos < 0 {
        return Err("must not be negative".into());
    }
    unsigned(seconds, nanos).ok_or_else(|| "is malformed or longer than 292 years".into())
}

/// A duration in nanoseconds that is longer than none.
///
/// # Errors
/// As [`duration_ns`], and zero.
pub(crate) fn positive_duration_ns(duration: &Duration) -> Result<u64, String> {
    match duration_ns(duration)? {
        0 => Err("must be longer than 0".into()),
        nanoseconds => Ok(nanoseconds),
    }
}

/// A time in nanoseconds since 1970.
///
/// # Errors
/// One before 1970, one that is malformed, or one after 2262.
pub(crate) fn unix_ns(time: &Timestamp) -> Result<u64, String> {
    unsigned(time.seconds, time.nanos).ok_or_else(|| "is not a time from 1970 to 2262".into())
}

fn unsigned(seconds: i64, nanos: i32) -> Option<u64> {
    let fraction = i64::from(nanos);
    if !(0..NANOS).contains(&fraction) {
        return None;
    }
    seconds
        .checked_mul(NANOS)?
        .checked_add(fraction)?
        .try_into()
        .ok()
}

/// Nanoseconds as a duration.
pub(crate) fn duration(nanoseconds: u64) -> Duration {
    let (seconds, nanos) = split(nanoseconds);
    Duration { seconds, nanos }
}

/// Nanoseconds since 1970 as a time.
pub(crate) fn timestamp(unix_ns: u64) -> Timestamp {
    let (seconds, nanos) = split(unix_ns);
    Timestamp { seconds, nanos }
}

fn split(nanoseconds: u64) -> (i64, i32) {
    const PER_SECOND: u64 = NANOS as u64;
    (
        (nanoseconds / PER_SECOND) as i64,
        (nanoseconds % PER_SECOND) as i32,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_there_and_back() {
        for nanoseconds in [0, 1, 999_999_999, 1_000_000_000, i64::MAX as u64] {
            assert_eq!(duration_ns(&duration(nanoseconds)), Ok(nanoseconds));
            assert_eq!(unix_ns(&timestamp(nanoseconds)), Ok(nanoseconds));
        }
    }

    #[test]
    fn malformed_ones_are_refused() {
        for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MAX, 0)] {
            assert!(duration_ns(&Duration { seconds, nanos }).is_err());
            assert!(unix_ns(&Timestamp { seconds, nanos }).is_err());
        }
        assert!(positive_duration_ns(&Duration::default()).is_err());
    }
}
