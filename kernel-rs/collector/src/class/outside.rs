//! What is counted outside flows, where no session can be named.

use latscope_events::{class::KINDS, refusal::REASONS};

/// What is counted for a flow group outside flows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outside {
    /// Latencies not reported, by reason.
    pub(crate) refused: [u64; REASONS],
    /// Starts that were never answered, by kind. Never falls.
    pub(crate) unanswered: [u64; KINDS],
}

impl Outside {
    /// Of a group that does not exist any more, or of an engine that sees nothing outside.
    pub(crate) const NOTHING: Self = Self {
        refused: [0; REASONS],
        unanswered: [0; KINDS],
    };
}
