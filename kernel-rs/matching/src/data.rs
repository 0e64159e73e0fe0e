//! The sending side of a round trip: which segments may start one (ACCURACY.md 5 to 8).

use latscope_events::{
    flow::{Direction, SLOTS, direction, slot},
    refusal,
};

use crate::{
    Clock, Segment, Sink,
    cell::{claim, peek, publish},
    segment::distance,
    waits,
};

/// Takes note of what a direction sends.
#[inline(always)]
pub fn sent(way: &mut Direction, segment: &Segment, clock: &mut impl Clock, sink: &mut impl Sink) {
    let now = if segment.is_empty() { 0 } else { clock.now() };
    let noted = note(way, segment, now);
    let refused = noted & ((1 << BEGUN_AT) - 1);
    if refused != 0 {
        sink.refused_rtt(refused & 15, refused >> COUNT_AT);
    }
    sink.waits(noted >> BEGUN_AT);
}

/// Of what [`note`] returns: a reason, above it how many are refused for it, above that [`waits`].
const COUNT_AT: u32 = 4;
const BEGUN_AT: u32 = 16;
const BEGUN: u32 = waits::SEGMENT_BEGUN << BEGUN_AT;
const ENDED: u32 = waits::SEGMENT_ENDED << BEGUN_AT;

#[inline(always)]
const fn refused(reason: u32, count: u32) -> u32 {
    reason | count << COUNT_AT
}

/// Takes note of a segment sent at `now`; what is refused for it, and what begins and ends.
///
/// In the kernel a function of its own, which the verifier walks once.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[cfg_attr(target_arch = "bpf", inline(never))]
extern "C" fn note(way: *mut Direction, segment: *const Segment, now: u64) -> u32 {
    // SAFETY: the verifier asks for the checks; callers pass references.
    let (Some(way), Some(segment)) = (unsafe { (way.as_mut(), segment.as_ref()) }) else {
        return 0;
    };
    let edge = edge(way, segment);
    if segment.is_empty() {
        if way.flags & direction::SENT == 0 {
            start_at(way, segment.seq);
        }
        return 0;
    }
    let end = segment.end();
    if way.flags & direction::SENT == 0 {
        // The first segment of a flow joined midway may have been sent before.
        start_at(way, end);
        return refused(refusal::JOINED_MIDWAY, 1);
    }
    let ahead = distance(segment.seq, way.right);
    if ahead < 0 {
        return sent_again(way, segment, edge, now);
    }
    if way.flags & direction::ARRIVED != 0 {
        if distance(end, way.arrived) <= 0 {
            // Acknowledged before it was seen: the two directions came out of order.
            way.right = end;
            return refused(refusal::REORDERED, 1);
        }
        way.flags &= !direction::ARRIVED;
    }
    if ahead > 0 {
        way.hole_start = way.right;
        way.hole_end = segment.seq;
    }
    way.right = end;
    if end.wrapping_sub(way.left) >= slot::WINDOW {
        return refused(refusal::SLOTS_FULL, 1) + follow_edge(way, segment, edge, now);
    }
    let place = usize::from(way.head) & (SLOTS - 1);
    if peek(&way.slots[place]) == 0 {
        way.head = way.head.wrapping_add(1);
        publish(&mut way.slots[place], slot::pack(end, now));
        return BEGUN;
    }
    // All are taken. The newest gives its place: the last segment of a burst is acknowledged by itself far more often than
    // one in its midst, and the oldest are about to be.
    let newest = usize::from(way.head.wrapping_sub(1)) & (SLOTS - 1);
    if claim(&mut way.slots[newest]) == 0 {
        return 0;
    }
    publish(&mut way.slots[newest], slot::pack(end, now));
    refused(refusal::SLOTS_FULL, 1) + BEGUN + ENDED
}

/// Begins to know a direction: everything before `right` is history.
#[inline(always)]
pub fn start_at(way: &mut Direction, right: u32) {
    way.right = right;
    way.left = right;
    way.flags |= direction::SENT;
}

/// Whether the segment is the first to carry its `TSval`, newer than any seen on any packet of the direction, pure ACKs
/// included (ACCURACY.md 6). The first packet of all is none: the tick may have begun before it.
#[inline(always)]
fn edge(way: &mut Direction, segment: &Segment) -> bool {
    if segment.timestamps == 0 {
        return false;
    }
    let known = way.flags & direction::TIMESTAMPS != 0;
    let newer = !known || distance(segment.tsval, way.ts_max) > 0;
    if newer {
        way.ts_max = segment.tsval;
        way.flags |= direction::TIMESTAMPS;
    }
    newer && known
}

/// A segment below `right`: sent before, or late. Whatever of the bytes from its start on is in flight is ambiguous: an
/// acknowledgement may have waited for this segment, or answer the other copy.
#[inline(always)]
fn sent_again(way: &mut Direction, segment: &Segment, edge: bool, now: u64) -> u32 {
    let end = segment.end();
    let mut dropped = drop_from(way, segment.seq);
    let mut begun = 0;
    let late = way.hole_start != way.hole_end
        && distance(segment.seq, way.hole_start) >= 0
        && distance(end, way.hole_end) <= 0;
    if late && segment.seq == way.hole_start {
        way.hole_start = end;
    }
    if distance(end, way.right) > 0 {
        way.right = end;
    }
    if edge {
        begun = follow_edge(way, segment, edge, now);
    } else if way.edge_time != 0
        && segment.timestamps != 0
        && segment.tsval == way.edge_tsval
        && distance(segment.seq, way.edge_end) < 0
    {
        // Sent again inside one tick: both copies carry the same TSval.
        way.edge_time = 0;
        dropped += 1;
    }
    let waits = begun + dropped * ENDED;
    if late {
        // The late segment itself was never followed.
        refused(refusal::REORDERED, dropped + 1) + waits
    } else if dropped > 0 {
        refused(refusal::RETRANSMITTED, dropped) + waits
    } else {
        waits
    }
}

/// Drops every measurement of bytes from `seq` on; returns how many.
///
/// In the kernel a function of its own, which the verifier walks once.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[cfg_attr(target_arch = "bpf", inline(never))]
extern "C" fn drop_from(way: *mut Direction, seq: u32) -> u32 {
    // SAFETY: the verifier asks for the check; callers pass a reference.
    let Some(way) = (unsafe { way.as_mut() }) else {
        return 0;
    };
    let mut dropped = 0;
    for _ in 0..SLOTS {
        let place = usize::from(way.head.wrapping_sub(1)) & (SLOTS - 1);
        let newest = peek(&way.slots[place]);
        if newest == 0 || slot::beyond(newest, seq) >= 0 {
            break;
        }
        if claim(&mut way.slots[place]) != 0 {
            dropped += 1;
        }
        way.head = way.head.wrapping_sub(1);
    }
    dropped
}

/// Follows a segment by its timestamp where its bytes are ambiguous or no slot is free; one at a time. [`BEGUN`] or 0.
#[inline(always)]
fn follow_edge(way: &mut Direction, segment: &Segment, edge: bool, now: u64) -> u32 {
    // Of bytes that are acknowledged already no acknowledgement is to come.
    if edge && way.edge_time == 0 && distance(segment.end(), way.left) > 0 {
        way.edge_tsval = segment.tsval;
        way.edge_end = segment.end();
        way.edge_time = now;
        BEGUN
    } else {
        0
    }
}
