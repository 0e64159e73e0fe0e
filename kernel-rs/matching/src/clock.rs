//! Time, asked for only when something is stored or matched: in the kernel it costs as much as the rest of a packet.

use latscope_events::refusal;

use crate::{Found, Sink};

/// Tells the time of the packet at hand, ns.
pub trait Clock {
    /// Time of the packet; the same for every call about one packet.
    fn now(&mut self) -> u64;
}

/// A time that is known.
impl Clock for u64 {
    fn now(&mut self) -> u64 {
        *self
    }
}

/// Where a session asks for nothing else, latencies beyond this are starts that were never answered (ACCURACY.md 23): TCP gives up retransmitting at this
/// interval (RFC 6298, 2.4 bounds the timer from above at 60 s or more; Linux uses 120 s).
pub const TIMEOUT_NS: u64 = 120_000_000_000;

/// No session waits longer than this for an end: of a time in a slot (`latscope_events::flow::slot`) half the range, nine
/// minutes, can be told from a clock that went back.
pub const LONGEST_NS: u64 = 300_000_000_000;

/// A request that bears an id and was not answered for so long is given up; when it comes again it is another, though it bears
/// the same id.
pub const ANSWER_NS: u64 = 10_000_000_000;

/// Reports the time from `start` to `now`, or refuses what is no latency. What is too long for one session and not for
/// another is told apart by the sink.
#[inline(always)]
pub fn report(found: Found, start: u64, now: u64, sink: &mut impl Sink) {
    let latency = now.wrapping_sub(start);
    if latency <= LONGEST_NS {
        sink.found(Found { latency, ..found });
    } else if latency >= 1 << 63 {
        sink.refused(refusal::CLOCK_BACKWARDS);
    } else {
        sink.refused(refusal::UNMATCHED_START);
    }
}
