//! A TCP flow from its first answer to its end.

use latscope_events::{
    flow::{Direction, Flow, direction, slot, state, track},
    pending::{Pending, flags},
    refusal,
};

use crate::{
    Clock, Segment, Sink, acknowledgement,
    cell::{index, publish},
    data, first_byte, handshake,
    segment::{ACK, RST, SYN, distance},
    waits,
};

/// Side of a flow whose opener was not seen.
pub const UNKNOWN: u8 = 2;

/// Fills a zeroed flow with what its first packets, in `pending`, tell: who opened it and what was sent so far.
#[inline(always)]
pub fn adopt(flow: &mut Flow, pending: &Pending, segment: &Segment) {
    let opened = pending.flags & flags::SYN != 0 && segment.flags & SYN != 0;
    flow.opener = if opened {
        pending.side
    } else if pending.flags & flags::SYN_ACK != 0 {
        flow.state = state::SYN_ACK;
        flow.syn_ack_time = pending.time;
        flow.syn_ack_end = pending.end;
        flow.syn_ack_tsval = pending.tsval;
        1 - (pending.side & 1)
    } else {
        UNKNOWN
    };
    let way = &mut flow.direction[usize::from(pending.side & 1)];
    data::start_at(way, pending.end);
    if pending.flags & flags::TIMESTAMPS != 0 {
        way.ts_max = pending.tsval;
        way.flags |= direction::TIMESTAMPS;
    }
    adopt_way(flow, pending);
}

/// The packet that made `pending` a flow, the first from the other side. Returns whether that packet is yet to be taken as
/// a [`segment_of`] the flow: it is not when it was part of a handshake.
#[inline(always)]
pub fn answer(
    flow: &mut Flow,
    pending: &Pending,
    side: u8,
    segment: &Segment,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) -> bool {
    if pending.flags & flags::DATA != 0 && flow.track & track::RTT != 0 {
        sink.refused_rtt(refusal::JOINED_MIDWAY, 1);
    }
    if flow.syn_ack_time != 0 {
        sink.waits(waits::HALF_BEGUN);
    }
    if pending.flags & flags::SYN_ACK != 0 && pending.time == 0 {
        sink.refused(refusal::JOINED_MIDWAY);
    }
    if segment.flags & SYN == 0 {
        return true;
    }
    let end = segment.end();
    let back = &mut flow.direction[usize::from(side & 1)];
    data::start_at(back, end);
    // Also of a SYN that crossed the other: the opener has heard it when it acknowledges it.
    flow.syn_ack_end = segment.seq.wrapping_add(1);
    if segment.timestamps != 0 {
        back.ts_max = segment.tsval;
        back.flags |= direction::TIMESTAMPS;
    }
    if handshake::is_syn_ack(pending, segment) {
        flow.direction[usize::from(1 - (side & 1))].left = segment.ack;
        flow.syn_time = pending.time;
        flow.syn_end = pending.isn.wrapping_add(1);
        flow.syn_ack_time = clock.now();
        sink.waits(waits::HALF_BEGUN);
        flow.syn_ack_tsval = segment.tsval;
        flow.state = state::SYN_ACK;
        handshake::answered(pending, segment, 0, clock, sink);
    }
    false
}

/// Whether a segment opens another connection on the tuple of this flow: a SYN whose number is not the known one's, or any
/// after the end.
#[inline(always)]
#[must_use]
pub fn reopens(flow: &Flow, side: u8, segment: &Segment) -> bool {
    segment.flags & (SYN | RST | ACK) == SYN
        && !(flow.opener == side
            && flow.state < state::CLOSED
            && flow.syn_time != 0
            && flow.syn_end == segment.seq.wrapping_add(1))
}

/// Whether a segment shows that the opener has heard the SYN-ACK. One that only pretends to be there has not.
#[inline(always)]
#[must_use]
pub fn confirms(flow: &Flow, side: u8, segment: &Segment) -> bool {
    let sent = &flow.direction[usize::from(1 - (side & 1))];
    side == flow.opener
        && segment.flags & (SYN | RST | ACK) == ACK
        && distance(segment.ack, flow.syn_ack_end) >= 0
        && distance(segment.ack, sent.right) <= 0
}

/// Fills a zeroed flow of UDP: the side in `pending` asked, and its first datagram began the exchange.
#[inline(always)]
pub fn adopt_datagram(flow: &mut Flow, pending: &Pending) {
    flow.opener = pending.side;
    flow.requester = pending.side;
    flow.request_time = pending.time;
    flow.syn_time = pending.time;
    if pending.flags & flags::QUIC != 0 {
        flow.syn_ack_time = pending.time;
    }
    adopt_way(flow, pending);
}

#[inline(always)]
fn adopt_way(flow: &mut Flow, pending: &Pending) {
    let way = &mut flow.direction[usize::from(pending.side & 1)];
    way.home = pending.home;
    way.home_seen = pending.seen;
    way.ttl = pending.ttl;
    if pending.flags & flags::LOCAL != 0 {
        way.flags |= direction::LOCAL;
    }
}

/// A packet of a flow that is known.
#[inline(always)]
pub fn segment_of(
    flow: &mut Flow,
    side: u8,
    segment: &Segment,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) {
    if segment.flags & (SYN | RST) != 0 {
        if segment.flags & RST != 0 {
            // One whose number is far off is not the peer's, or too late to matter to it (RFC 5961, 3).
            let way = &flow.direction[usize::from(side & 1)];
            let off = segment
                .seq
                .wrapping_sub(way.right)
                .wrapping_add(slot::WINDOW);
            if way.flags & direction::SENT == 0 || off < 2 * slot::WINDOW {
                let reset = state::RESET + (side & 1);
                flow.state = if flow.state < state::CLOSED || flow.state == reset {
                    reset
                } else {
                    state::CLOSED
                };
            }
        } else if segment.flags & ACK != 0 {
            handshake::syn_ack_again(flow, side, segment, clock, sink);
        }
        return;
    }
    if flow.state == state::CLOSED || flow.state == state::RESET + (side & 1) {
        return;
    }
    handshake::acknowledged(flow, side, segment, clock, sink);
    if flow.track & (track::RTT | track::FIRST_BYTE) == 0 {
        return;
    }
    let here = index(side);
    let there = here ^ 1;
    let open = flow.state < state::CLOSED;
    if open && flow.track & track::FIRST_BYTE != 0 {
        first_byte::payload(flow, side, segment, clock, sink);
    }
    let same_window = flow.window[here] == segment.window;
    flow.window[here] = segment.window;
    acknowledgement::received(
        &mut flow.direction[there],
        there as u8,
        segment,
        same_window,
        clock,
        sink,
    );
    if !open {
        return;
    }
    data::sent(&mut flow.direction[here], segment, clock, sink);
    if segment.flags & crate::segment::FIN != 0 {
        flow.direction[here].flags |= direction::FIN;
    } else if is_done(&flow.direction[0]) && is_done(&flow.direction[1]) {
        flow.state = state::CLOSED;
    }
}

/// What of a flow is followed segment by segment.
const FOLLOWED: u8 = track::RTT | track::FIRST_BYTE;

/// From here on `tracked` of a flow is. Nothing may end that began while nobody looked: `heard` unless nobody listened to
/// it at all meanwhile. What was tracked before goes on. Returns what waits no more ([`waits`]); what a flow waited for that
/// nobody listened to is not among it.
#[inline(always)]
pub fn retrack(flow: &mut Flow, tracked: u8, heard: bool) -> u32 {
    let more = tracked & !flow.track;
    let idle = flow.track & FOLLOWED == 0;
    flow.track = tracked;
    let requested = flow.request_time != 0;
    let segments = if !heard {
        forget(flow, 1);
        return 0;
    } else if idle && more & FOLLOWED != 0 {
        forget(flow, 0)
    } else if more & track::FIRST_BYTE != 0 {
        publish(&mut flow.request_time, 0);
        0
    } else {
        return 0;
    };
    segments * waits::SEGMENT_ENDED + u32::from(requested) * waits::REQUEST_ENDED
}

/// Forgets segments and requests that a flow was in the midst of, and with `whole` everything else that it was; how many segments.
///
/// In the kernel a function of its own, which the verifier walks once.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[cfg_attr(target_arch = "bpf", inline(never))]
extern "C" fn forget(flow: *mut Flow, whole: u32) -> u32 {
    // SAFETY: the verifier asks for the check; callers pass a reference.
    let Some(flow) = (unsafe { flow.as_mut() }) else {
        return 0;
    };
    let mut ended = 0;
    for way in &mut flow.direction {
        ended += acknowledgement::drop_all(way) + u32::from(way.edge_time != 0);
        way.edge_time = 0;
        way.hole_end = way.hole_start;
        way.flags &= direction::LOCAL;
    }
    publish(&mut flow.request_time, 0);
    if whole == 0 {
        return ended;
    }
    publish(&mut flow.syn_ack_time, 0);
    for side in 0..2 {
        // SAFETY: valid references. Volatile, or the zeros become a call of memset.
        unsafe {
            (&raw mut flow.stream_length[side]).write_volatile(0);
            (&raw mut flow.stream_next[side]).write_volatile(0);
        }
    }
    if flow.state == state::SYN_ACK {
        flow.state = state::OPEN;
    }
    ended
}

/// Whether a direction has sent its FIN and had it acknowledged.
#[inline(always)]
fn is_done(way: &Direction) -> bool {
    way.flags & direction::FIN != 0 && way.left == way.right
}
