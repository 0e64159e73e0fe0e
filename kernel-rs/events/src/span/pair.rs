//! Pairs of tracepoints: what a program must know of the pair that it runs for.

use super::thread::Task;
use crate::layout;

/// Pairs at once: one for each lane.
pub const PAIRS: usize = 64;
/// Tracepoints at once: two for each pair.
pub const POINTS: usize = 2 * PAIRS;
/// Words of a key.
pub const WORDS: usize = 4;

/// A tracepoint, by the cookie that its program is attached with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Lanes whose pair ends here.
    pub ends: u64,
    /// Lanes whose pair begins here.
    pub begins: u64,
}
layout!(Point, 16);

/// Where a tracepoint's record has a word of the key.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Bytes from the begin of the record.
    pub offset: u64,
    /// The bits that are the field's, of the eight bytes there; 0 = no more words.
    pub mask: u64,
}
layout!(Part, 16);

/// A pair, by the bit of its lane.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// What samples call it: [`super::frames::target`].
    pub target: u64,
    /// Key in the record of the first; none = the thread.
    pub begin: [Part; WORDS],
    /// Key in the record of the second.
    pub end: [Part; WORDS],
}
layout!(Pair, 8 + 32 * WORDS);

/// Key of a start.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StartKey {
    /// The pair.
    pub target: u64,
    /// Values of its key fields, or [`thread`] in the first.
    pub words: [u64; WORDS],
}
layout!(StartKey, 8 + 8 * WORDS);

/// The first of a pair that waits for the second.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// When it came.
    pub time: u64,
    /// In whose context; 0 = nobody's.
    pub task: Task,
}
layout!(Start, 40);

/// What is followed by thread: the thread, or the CPU where an interrupt or the idle task runs.
pub mod thread {
    /// Set where it is a CPU.
    pub const CPU: u32 = 1 << 31;
}
