//! Request and reply over UDP (ACCURACY.md 12).
//!
//! Of a UDP flow `syn_time` is when its last packet passed.

use latscope_events::{flow::Flow, metric::UDP_REPLY, refusal};

use crate::{Clock, Found, Sink, clock, waits};

/// Where a session asks for nothing else, after this much silence the next packet, from whichever side, starts a new
/// exchange.
pub const IDLE_NS: u64 = 10_000_000_000;

/// A datagram of a flow: the first of a burst starts an exchange, the first back ends it; silence beyond `idle_ns` does too.
#[inline(always)]
pub fn datagram(
    flow: &mut Flow,
    side: u8,
    idle_ns: u64,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) {
    let now = clock.now();
    let silence = now.wrapping_sub(flow.syn_time);
    if silence > idle_ns && silence < 1 << 63 {
        if flow.request_time != 0 {
            sink.waits(waits::REQUEST_ENDED);
            sink.refused(refusal::UNMATCHED_START);
        }
        flow.request_time = 0;
        flow.requester = side;
    }
    flow.syn_time = now;
    if side == flow.requester {
        if flow.request_time == 0 {
            flow.request_time = now;
            sink.waits(waits::REQUEST_BEGUN);
        }
    } else if flow.request_time != 0 {
        let start = flow.request_time;
        flow.request_time = 0;
        sink.waits(waits::REQUEST_ENDED);
        let found = Found {
            metric: UDP_REPLY,
            side: flow.requester,
            ..Found::NOTHING
        };
        clock::report(found, start, now, sink);
    }
}
