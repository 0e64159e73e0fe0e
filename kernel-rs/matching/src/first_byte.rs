//! First byte of a request to the first byte of its reply (ACCURACY.md 10).

use latscope_events::{
    flow::{Flow, direction},
    metric::TCP_FIRST_BYTE,
};

use crate::{
    Clock, Found, Segment, Sink, clock,
    flow::UNKNOWN,
    segment::{ACK, distance},
    waits,
};

/// New payload of a flow whose opener is known, before it is taken note of as sent.
#[inline(always)]
pub fn payload(
    flow: &mut Flow,
    side: u8,
    segment: &Segment,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) {
    if segment.payload == 0 || flow.opener == UNKNOWN {
        return;
    }
    let now = clock.now();
    let waited = flow.request_time != 0;
    let start = request_of(flow, u32::from(side), segment, now);
    if !waited && flow.request_time != 0 {
        sink.waits(waits::REQUEST_BEGUN);
    }
    if start != 0 {
        sink.waits(waits::REQUEST_ENDED);
        let found = Found {
            metric: TCP_FIRST_BYTE,
            side: flow.opener,
            ..Found::NOTHING
        };
        clock::report(found, start, now, sink);
    }
}

/// When the request began that this payload answers, or 0. The opener asks; a reply is payload that acknowledges some of the
/// request, so what was on its way before is none.
///
/// In the kernel a function of its own, which the verifier walks once.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[cfg_attr(target_arch = "bpf", inline(never))]
extern "C" fn request_of(flow: *mut Flow, side: u32, segment: *const Segment, now: u64) -> u64 {
    // SAFETY: the verifier asks for the checks; callers pass references.
    let (Some(flow), Some(segment)) = (unsafe { (flow.as_mut(), segment.as_ref()) }) else {
        return 0;
    };
    let way = &flow.direction[side as usize & 1];
    if way.flags & direction::SENT == 0 || distance(segment.seq, way.right) < 0 {
        return 0;
    }
    if side == u32::from(flow.opener) {
        if flow.request_time == 0 {
            flow.request_time = now;
            flow.request_start = segment.seq;
        }
        return 0;
    }
    if segment.flags & ACK == 0 || distance(segment.ack, flow.request_start) <= 0 {
        return 0;
    }
    core::mem::take(&mut flow.request_time)
}
