//! Numbers of the reasons for which a latency is not reported, those of `latscope.v1.RefusalReason`.

/// The bytes were sent twice; which copy was answered cannot be told (Karn's rule).
pub const RETRANSMITTED: u32 = 1;
/// The segment came after later ones; the acknowledgement waited for it.
pub const REORDERED: u32 = 2;
/// An acknowledgement that acknowledges nothing new, while a measurement was outstanding.
pub const DUPLICATE_ACK: u32 = 3;
/// The flow was joined midway: its first segment may have been sent before.
pub const JOINED_MIDWAY: u32 = 4;
/// A fragment other than the first has no ports.
pub const FRAGMENT: u32 = 5;
/// Truncated or malformed headers.
pub const UNPARSABLE: u32 = 6;
/// A start that timed out or was evicted before its end came.
pub const UNMATCHED_START: u32 = 7;
/// An end without a start.
pub const UNMATCHED_END: u32 = 8;
/// The end carries an earlier time than the start.
pub const CLOCK_BACKWARDS: u32 = 9;
/// More in flight than is followed at once.
pub const SLOTS_FULL: u32 = 10;

/// Length of a table indexed by reason; a power of two, so that an index can be masked.
pub const REASONS: usize = 16;
