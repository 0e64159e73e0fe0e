//! The answering side of a round trip: which acknowledgement ends one (ACCURACY.md 5 to 9).

use latscope_events::{
    flow::{Direction, SLOTS, direction, slot},
    metric::{TCP_RTT, quality},
    refusal,
};

use crate::{
    Clock, Found, Segment, Sink,
    cell::{claim, peek},
    clock::LONGEST_NS,
    segment::{ACK, distance},
    waits,
};

/// Matches `segment`, which comes back, with what `way` has in flight. `side` is the sender of `way`; `same_window` tells a
/// duplicate from a window update (RFC 5681, 2).
#[inline(always)]
pub fn received(
    way: &mut Direction,
    side: u8,
    segment: &Segment,
    same_window: bool,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) {
    let outcome = end_of(way, segment, u32::from(same_window));
    if outcome & MATCHED != 0 {
        let age = slot::age(outcome, clock.now());
        let quality = (outcome >> slot::TIME_BITS) as u16 & 0xff;
        report(age, quality, side, sink);
    } else if outcome != 0 {
        let reason = (outcome >> REASON_AT) as u32 & 15;
        if reason != 0 {
            sink.refused_rtt(reason, (outcome >> slot::TIME_BITS) as u32 & 0xff);
        }
    }
    sink.waits((outcome >> ENDED_AT & 0xff) as u32 * waits::SEGMENT_ENDED);
}

/// Of what [`end_of`] returns: something ended. Below it are the quality and, in the place of a slot's time, the start; without
/// it a reason, and how many are refused for it, or nothing. In either case how many wait no more.
const MATCHED: u64 = 1 << 63;
const REASON_AT: u32 = 56;
const ENDED_AT: u32 = 48;

/// What `segment` ends or refuses.
///
/// In the kernel a function of its own, which the verifier walks once.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[cfg_attr(target_arch = "bpf", inline(never))]
extern "C" fn end_of(way: *mut Direction, segment: *const Segment, same_window: u32) -> u64 {
    // SAFETY: the verifier asks for the checks; callers pass references.
    let (Some(way), Some(segment)) = (unsafe { (way.as_mut(), segment.as_ref()) }) else {
        return 0;
    };
    if segment.flags & ACK == 0 || way.flags & direction::SENT == 0 {
        return 0;
    }
    let advance = distance(segment.ack, way.left);
    if advance <= 0 {
        return if advance == 0 {
            duplicate(way, segment, same_window != 0)
        } else {
            0
        };
    }
    let beyond = distance(segment.ack, way.right);
    if beyond > 0 {
        // Optimistic, or for data that did not pass here, or not yet: ends nothing.
        if (beyond as u32) < slot::WINDOW {
            way.arrived = segment.ack;
            way.flags |= direction::ARRIVED;
        }
        return 0;
    }
    way.left = segment.ack;
    // One that acknowledges less than an earlier one says that the earlier was forged.
    way.flags &= !direction::ARRIVED;
    if advance as u32 >= slot::WINDOW {
        return forget(way);
    }
    let held = held(way, segment.ack);
    if segment.sacked != 0 {
        hold(way);
    }
    let mut ended = 0;
    let newest = free_up_to(way, segment.ack, &raw mut ended);
    let exact = newest != 0 && slot::beyond(newest, segment.ack) == 0;
    let to_the_end = segment.ack == way.edge_end;
    let followed = way.edge_time != 0;
    let echoed = echoed(way, segment);
    if followed && way.edge_time == 0 {
        ended += 1;
    }
    let ended = u64::from(ended) << ENDED_AT;
    if exact || echoed == 0 {
        if newest == 0 {
            return ended;
        }
        let delay = if exact {
            0
        } else {
            quality::MAY_INCLUDE_ACK_DELAY
        };
        ended | matched(newest, quality::SEQUENCE_MATCHED | delay | held)
    } else {
        // An acknowledgement of more than the followed segment may have waited for what it acknowledges besides.
        let delay = if to_the_end {
            0
        } else {
            quality::MAY_INCLUDE_ACK_DELAY
        };
        ended | matched(echoed, quality::TIMESTAMP_MATCHED | delay | held)
    }
}

#[inline(always)]
const fn matched(start: u64, quality: u16) -> u64 {
    MATCHED | (quality as u64) << slot::TIME_BITS | start & slot::TIME_MASK
}

#[inline(always)]
const fn refused(reason: u32, count: u32) -> u64 {
    (reason as u64) << REASON_AT | (count as u64) << slot::TIME_BITS
}

/// Frees every slot up to `ack`, and says how many; returns the newest of them, 0 when there is none. The others are freed
/// silently: their acknowledgement was merged with this one.
///
/// In the kernel a function of its own, which the verifier walks once.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[cfg_attr(target_arch = "bpf", inline(never))]
extern "C" fn free_up_to(way: *mut Direction, ack: u32, freed: *mut u32) -> u64 {
    // SAFETY: the verifier asks for the checks; callers pass references.
    let (Some(way), Some(freed)) = (unsafe { (way.as_mut(), freed.as_mut()) }) else {
        return 0;
    };
    let mut newest = 0;
    for _ in 0..SLOTS {
        let place = usize::from(way.tail) & (SLOTS - 1);
        let oldest = peek(&way.slots[place]);
        if oldest == 0 || slot::beyond(oldest, ack) < 0 {
            break;
        }
        let taken = claim(&mut way.slots[place]);
        if taken == 0 {
            break;
        }
        way.tail = way.tail.wrapping_add(1);
        *freed += 1;
        newest = taken;
    }
    newest
}

/// When the segment was sent whose `TSval` is echoed, or 0. An echo of something newer, or an acknowledgement of the
/// bytes, ends the wait in any case.
#[inline(always)]
fn echoed(way: &mut Direction, segment: &Segment) -> u64 {
    if way.edge_time == 0 {
        return 0;
    }
    let newer = if segment.timestamps == 0 {
        -1
    } else {
        distance(segment.tsecr, way.edge_tsval)
    };
    let acknowledged = distance(segment.ack, way.edge_end) >= 0;
    let time = if newer == 0 && acknowledged {
        way.edge_time
    } else {
        0
    };
    // Whatever it covers, an echo is the first: what comes later may be due to another copy.
    if newer >= 0 || acknowledged {
        way.edge_time = 0;
    }
    time
}

/// An acknowledgement of nothing new. It ends no measurement; an echo in it can no longer be the first. It may say that
/// something is missing, and the acknowledgement of whatever is in flight then waits for that: those are flagged. Where
/// selective acknowledgements say so it is certain, though it bears data or moves the window.
#[inline(always)]
fn duplicate(way: &mut Direction, segment: &Segment, same_window: bool) -> u64 {
    let mut ended = 0;
    if way.edge_time != 0 && segment.timestamps != 0 && segment.tsecr == way.edge_tsval {
        way.edge_time = 0;
        ended = 1 << ENDED_AT;
    }
    if segment.sacked == 0 && !(segment.is_empty() && same_window) {
        return ended;
    }
    let place = usize::from(way.tail) & (SLOTS - 1);
    if peek(&way.slots[place]) == 0 && way.edge_time == 0 {
        return ended;
    }
    hold(way);
    ended | refused(refusal::DUPLICATE_ACK, 1)
}

/// Something is missing: the acknowledgement of all that is in flight may wait for it.
#[inline(always)]
fn hold(way: &mut Direction) {
    way.held = way.right;
    way.flags |= direction::HELD;
}

/// Whether the acknowledgement may have waited for something that was missing.
#[inline(always)]
fn held(way: &mut Direction, ack: u32) -> u16 {
    if way.flags & direction::HELD == 0 {
        return 0;
    }
    if distance(ack, way.held) >= 0 {
        way.flags &= !direction::HELD;
    }
    if distance(ack, way.held) <= 0 {
        quality::MAY_INCLUDE_ACK_DELAY
    } else {
        0
    }
}

/// Drops every slot: after a jump of a whole window their 24 bits say nothing.
#[inline(always)]
fn forget(way: &mut Direction) -> u64 {
    let followed = u32::from(way.edge_time != 0);
    way.edge_time = 0;
    match drop_all(way) + followed {
        0 => 0,
        ended => u64::from(ended) << ENDED_AT | refused(refusal::UNMATCHED_START, ended),
    }
}

/// Empties the ring of slots; returns how many there were.
///
/// In the kernel a function of its own, which the verifier walks once.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(crate) extern "C" fn drop_all(way: *mut Direction) -> u32 {
    // SAFETY: the verifier asks for the check; callers pass a reference.
    let Some(way) = (unsafe { way.as_mut() }) else {
        return 0;
    };
    let mut dropped = 0;
    for slot in &mut way.slots {
        if claim(slot) != 0 {
            dropped += 1;
        }
    }
    way.tail = way.head;
    dropped
}

/// Reports an age, or refuses what is no latency. Of 40 bits of time, a start that seems to lie in the future shows as an age
/// beyond half of them.
#[inline(always)]
fn report(age: u64, quality: u16, side: u8, sink: &mut impl Sink) {
    if age <= LONGEST_NS {
        sink.found(Found {
            latency: age,
            metric: TCP_RTT,
            side,
            quality,
            ..Found::NOTHING
        });
    } else if age >= 1 << (slot::TIME_BITS - 1) {
        sink.refused_rtt(refusal::CLOCK_BACKWARDS, 1);
    } else {
        sink.refused_rtt(refusal::UNMATCHED_START, 1);
    }
}
