//! What this host grants a session: its defaults and its maxima.

use super::time;
use crate::proto::{self, SessionSpec};

const SECOND_NS: u64 = 1_000_000_000;

/// Defaults for what a spec leaves open, and maxima that what it asks for is clamped to: whoever may open sessions must not be
/// able to exhaust the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Longest that a session runs; `None` = as long as it likes.
    pub duration_max_ns: Option<u64>,
    /// How long a session waits for a reader.
    pub idle_timeout_ns: u64,
    /// Longest that it may.
    pub idle_timeout_max_ns: u64,
    /// How long results are kept after the stop.
    pub retain_ns: u64,
    /// Longest that they may.
    pub retain_max_ns: u64,
    /// Bytes of samples that a session keeps.
    pub history_bytes: u64,
    /// Most that it may.
    pub history_bytes_max: u64,
    /// Cap on individual samples per second and CPU.
    pub samples_per_second: u32,
    /// Highest that it may be; 0 = a session may go without.
    pub samples_per_second_max: u32,
    /// Whether the kernel counts what programs cost while a session is attached, which itself costs each run some time.
    pub count_runs: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            duration_max_ns: None,
            idle_timeout_ns: 600 * SECOND_NS,
            idle_timeout_max_ns: 24 * 3600 * SECOND_NS,
            retain_ns: 600 * SECOND_NS,
            retain_max_ns: 24 * 3600 * SECOND_NS,
            history_bytes: 32 << 20,
            history_bytes_max: 256 << 20,
            samples_per_second: 50_000,
            samples_per_second_max: 0,
            count_runs: true,
        }
    }
}

impl Bounds {
    /// The bounds that two specs spell out in their `limits` and `collection`; what they leave open is as by default.
    ///
    /// # Errors
    /// What is wrong with a duration, for the person who configures the host.
    pub fn of(defaults: &SessionSpec, maxima: &SessionSpec) -> Result<Self, String> {
        let built_in = Self::default();
        let (default, most) = (
            defaults.limits.unwrap_or_default(),
            maxima.limits.unwrap_or_default(),
        );
        let ns = |duration: Option<prost_types::Duration>, otherwise: u64| {
            duration.map_or(Ok(otherwise), |it| time::duration_ns(&it))
        };
        let rate = |spec: &SessionSpec, otherwise: u32| {
            let collection: Option<&proto::Collection> = spec.collection.as_ref();
            collection
                .and_then(|it| it.max_samples_per_second)
                .unwrap_or(otherwise)
        };
        Ok(Self {
            duration_max_ns: most
                .duration
                .map(|it| time::positive_duration_ns(&it))
                .transpose()?,
            idle_timeout_ns: ns(default.idle_timeout, built_in.idle_timeout_ns)?,
            idle_timeout_max_ns: ns(most.idle_timeout, built_in.idle_timeout_max_ns)?,
            retain_ns: ns(default.retain, built_in.retain_ns)?,
            retain_max_ns: ns(most.retain, built_in.retain_max_ns)?,
            history_bytes: default.history_bytes.unwrap_or(built_in.history_bytes),
            history_bytes_max: most.history_bytes.unwrap_or(built_in.history_bytes_max),
            samples_per_second: rate(defaults, built_in.samples_per_second),
            samples_per_second_max: rate(maxima, built_in.samples_per_second_max),
            count_runs: built_in.count_runs,
        })
    }

    /// The cap of a session that asks for `asked`; 0 = none.
    pub(super) fn cap(&self, asked: Option<u32>) -> u32 {
        match (
            asked.unwrap_or(self.samples_per_second),
            self.samples_per_second_max,
        ) {
            (asked, 0) => asked,
            (0, most) => most,
            (asked, most) => asked.min(most),
        }
    }

    /// How long a session runs at most; `None` = as long as it likes.
    pub(super) fn duration_ns(&self, asked: Option<u64>) -> Option<u64> {
        match (asked, self.duration_max_ns) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_configured_is_built_in() {
        let open = SessionSpec::default();
        assert_eq!(Bounds::of(&open, &open), Ok(Bounds::default()));
    }

    #[test]
    fn no_cap_is_the_highest_cap() {
        let free = Bounds::default();
        assert_eq!(
            [None, Some(0), Some(7)].map(|it| free.cap(it)),
            [50_000, 0, 7]
        );
        let bounded = Bounds {
            samples_per_second_max: 1_000,
            ..free
        };
        let asked = [None, Some(0), Some(7), Some(1_001)];
        assert_eq!(asked.map(|it| bounded.cap(it)), [1_000, 1_000, 7, 1_000]);
    }

    #[test]
    fn a_longest_duration_is_everybodys() {
        let bounded = Bounds {
            duration_max_ns: Some(5),
            ..Bounds::default()
        };
        assert_eq!(
            [None, Some(4), Some(6)].map(|it| bounded.duration_ns(it)),
            [Some(5), Some(4), Some(5)]
        );
        assert_eq!(Bounds::default().duration_ns(None), None);
    }
}
