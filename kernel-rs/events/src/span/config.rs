//! What the user side tells the programs: which lanes there are, and what each accepts. A lane is a probe of a session, one
//! bit of every mask.
//!
//! As for packets there are two banks, chosen by the low bit of the generation.

use super::{metric::METRICS, thread::Accepts};
use crate::{
    config::{CAP_PLANES, Clauses},
    layout,
};

/// The word that flips banks; the only entry of its map.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// Current generation of the lanes; never 0 once there are any.
    pub generation: u32,
}
layout!(Control, 4);

/// The lanes of one generation.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Lanes that want each metric.
    pub wants: [u64; METRICS],
    /// By metric: since when both its ends are seen without a break. What began before may be something else.
    pub valid_from: [u64; METRICS],
    /// By [`field`]: lanes whose clauses have no condition on the field.
    pub any: [Accepting; FIELDS],
    /// What is accepted where no task is known.
    pub nobody: Accepts,
    /// [`CAP_PLANES`]-bit start values of the rate caps, bit-sliced.
    pub cap: [u64; CAP_PLANES],
    /// Lanes with a rate cap.
    pub capped: u64,
    /// By the exponent of a latency: lanes for which every such latency is too fast to be a sample of its own.
    pub faster: [u64; EXPONENTS],
    /// Lanes that get samples, not histograms alone.
    pub sampled: u64,
    /// Lanes that give starts up.
    pub timeouts: [Timeout; TIMEOUTS],
    /// By generations back: lanes that were there already, so that a span begun then may end for them.
    pub since: [u64; GENERATIONS],
    /// Interval of the timers.
    pub tick_ns: u64,
    /// Lanes that want failures alone.
    pub failed_only: u64,
    /// Lanes that want the idle task too.
    pub idle: u64,
    /// System calls that some lane wants, by number.
    pub syscalls: [u64; SYSCALLS / 64],
    /// Whether filters name cgroups.
    pub cgroups: u32,
    /// Whether filters name subjects.
    pub subjects: u32,
    /// [`key`] bits that some lane groups by.
    pub keys: u32,
    /// Timeouts in use.
    pub timeouts_used: u32,
}
layout!(
    Config,
    8 * (2 * METRICS
        + 16 * FIELDS
        + 17
        + CAP_PLANES
        + 1
        + EXPONENTS
        + 1
        + 2 * TIMEOUTS
        + GENERATIONS
        + 3
        + SYSCALLS / 64)
        + 16
);

/// A start older than `ns` has no end for `lanes`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    /// Age.
    pub ns: u64,
    /// Those lanes.
    pub lanes: u64,
}
layout!(Timeout, 16);

/// Fields of a filter that the programs look up.
pub const FIELDS: usize = 4;
/// Exponents that a latency may have.
pub const EXPONENTS: usize = 64;
/// Different timeouts that lanes may have at once.
pub const TIMEOUTS: usize = 8;
/// Generations back that a span may have begun and still end.
pub const GENERATIONS: usize = 32;
/// System calls that have a bit of their own; numbers beyond are always looked at.
pub const SYSCALLS: usize = 512;
/// Depths of the cgroup tree that are looked at.
pub const LEVELS: u32 = 16;

/// Indexes of [`Config::any`], and [`FilterKey::field`].
pub mod field {
    /// Thread group.
    pub const PID: u32 = 0;
    /// Name of the task.
    pub const COMM: u32 = 1;
    /// A cgroup or one above it.
    pub const CGROUP: u32 = 2;
    /// What the metric calls its subject.
    pub const SUBJECT: u32 = 3;
}

/// Bits of [`Config::keys`].
pub mod key {
    /// By name of the task.
    pub const COMM: u32 = 1;
    /// By cgroup.
    pub const CGROUP: u32 = 2;
    /// By subject.
    pub const SUBJECT: u32 = 4;
    /// By result.
    pub const RESULT: u32 = 8;
}

/// Key of the filter table: a value that some clause names.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FilterKey {
    /// [`field`].
    pub field: u16,
    /// Metric number of a subject, else 0.
    pub metric: u16,
    /// Low bit of the generation.
    pub bank: u32,
    /// A number in the first word, or 16 bytes of a name.
    pub value: [u64; 2],
}
layout!(FilterKey, 24);

/// Lanes that accept a value.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Accepting {
    /// By filter clause.
    pub filters: Clauses,
    /// By exclude clause.
    pub exclude: Clauses,
}
layout!(Accepting, 128);
