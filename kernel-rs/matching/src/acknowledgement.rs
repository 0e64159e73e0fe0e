//! The answering side of a round trip: which acknowledgement ends one (ACCURACY.md 5 to 9).

use latscope_events::{
    flow::{Direction, SLOTS, direction, slot},
    metric::{TCP_RTT, quality},
    refusal,
};

use crate::{
    Clock, Found, Segment, Sink,
    cell::{claim, peek},
    clock::TIMEOUT_NS,
    segment::{ACK, distance},
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
    if segment.flags & ACK == 0 || way.flags & direction::SENT == 0 {
        return;
    }
    let advance = distance(segment.ack, way.left);
    if advance <= 0 {
        if advance == 0 {
            duplicate(way, segment, same_window, sink);
        }
        return;
    }
    if distance(segment.ack, way.right) > 0 {
        // Optimistic, or for data that did not pass here, or not yet: ends nothing.
        let beyond = segment.ack.wrapping_sub(way.right);
        if beyond < slot::WINDOW {
            way.arrived = segment.ack;
            way.flags |= direction::ARRIVED;
        }
        return;
    }
    way.left = segment.ack;
    // One that acknowledges less than an earlier one says that the earlier was forged.
    way.flags &= !direction::ARRIVED;
    if advance as u32 >= slot::WINDOW {
        forget(way, sink);
        return;
    }
    let held = held(way, segment.ack);
    let newest = free_up_to(way, segment.ack);
    let exact = newest != 0 && slot::beyond(newest, segment.ack) == 0;
    let to_the_end = segment.ack == way.edge_end;
    let echoed = echoed(way, segment);
    if exact || echoed == 0 {
        if newest != 0 {
            let age = slot::age(newest, clock.now());
            let matched = if exact {
                quality::SEQUENCE_MATCHED
            } else {
                quality::SEQUENCE_MATCHED | quality::MAY_INCLUDE_ACK_DELAY
            };
            // 40 bits of time: a start that seems to lie in the future shows as an age beyond half of them.
            report(age, 1 << (slot::TIME_BITS - 1), matched | held, side, sink);
        }
    } else {
        let age = clock.now().wrapping_sub(echoed);
        // An acknowledgement of more than the followed segment may have waited for what it acknowledges besides.
        let matched = if to_the_end {
            quality::TIMESTAMP_MATCHED
        } else {
            quality::TIMESTAMP_MATCHED | quality::MAY_INCLUDE_ACK_DELAY
        };
        report(age, 1 << 63, matched | held, side, sink);
    }
}

/// Frees every slot up to `ack`; returns the newest of them, 0 when there is none. The others are freed silently: their
/// acknowledgement was merged with this one.
///
/// In the kernel a function of its own, which the verifier walks once.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[cfg_attr(target_arch = "bpf", inline(never))]
extern "C" fn free_up_to(way: *mut Direction, ack: u32) -> u64 {
    // SAFETY: the verifier asks for the check; callers pass a reference.
    let Some(way) = (unsafe { way.as_mut() }) else {
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
    if newer > 0 || acknowledged {
        way.edge_time = 0;
    }
    time
}

/// An acknowledgement of nothing new. It ends no measurement; an echo in it can no longer be the first. It may say that
/// something is missing, and the acknowledgement of whatever is in flight then waits for that: those are flagged.
#[inline(always)]
fn duplicate(way: &mut Direction, segment: &Segment, same_window: bool, sink: &mut impl Sink) {
    if way.edge_time != 0 && segment.timestamps != 0 && segment.tsecr == way.edge_tsval {
        way.edge_time = 0;
    }
    let place = usize::from(way.tail) & (SLOTS - 1);
    if segment.is_empty() && same_window && peek(&way.slots[place]) != 0 {
        way.held = way.right;
        way.flags |= direction::HELD;
        sink.refused_rtt(refusal::DUPLICATE_ACK, 1);
    }
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
fn forget(way: &mut Direction, sink: &mut impl Sink) {
    way.edge_time = 0;
    let dropped = drop_all(way);
    if dropped > 0 {
        sink.refused_rtt(refusal::UNMATCHED_START, dropped);
    }
}

/// Empties the ring of slots; returns how many there were.
///
/// In the kernel a function of its own, which the verifier walks once.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[cfg_attr(target_arch = "bpf", inline(never))]
extern "C" fn drop_all(way: *mut Direction) -> u32 {
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

/// Reports an age, or refuses what is no latency. Ages from `negative` on are differences below zero.
#[inline(always)]
fn report(age: u64, negative: u64, matched: u16, side: u8, sink: &mut impl Sink) {
    if age <= TIMEOUT_NS {
        sink.found(Found {
            latency: age,
            metric: TCP_RTT,
            side,
            retries: 0,
            reserved: 0,
            result: 0,
            quality: matched,
        });
    } else if age >= negative {
        sink.refused_rtt(refusal::CLOCK_BACKWARDS, 1);
    } else {
        sink.refused_rtt(refusal::UNMATCHED_START, 1);
    }
}
