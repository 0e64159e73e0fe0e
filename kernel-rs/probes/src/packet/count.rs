//! Latencies and refusals, counted by class: what every session has of them does not depend on the rings.

use latscope_events::{
    class::{self, kind},
    counter,
    flow::Flow,
    metric::{PACKET_METRICS, TCP_RTT},
    refusal::REASONS,
};
use latscope_matching::Found;

use crate::{
    class::class_of,
    histogram,
    maps::{CLASS_STATS, CONFIG, COUNTERS, GROUP_STATS},
    options::asked,
    packet::Packet,
    parse::protocol,
};

/// Refusals of one packet that are kept; it has no more kinds.
const REFUSALS: u32 = 4;

/// Counts a latency, and enters it into the histograms, for all who want it; the sessions that get it as a sample of its own.
#[inline(always)]
pub(crate) fn latency(flow: &mut Flow, packet: &Packet, found: *const Found) -> u64 {
    let wanted = measured(flow, packet, found);
    if wanted == 0 {
        return 0;
    }
    histogram::enter(flow, packet, found, wanted)
}

/// Counts a latency for all who want it: those sessions.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn measured(flow: *const Flow, packet: *const Packet, found: *const Found) -> u64 {
    // SAFETY: the verifier asks for the checks; the memory is a map value and the callers'.
    let (Some(flow), Some(packet), Some(found), Some(counters)) = (unsafe {
        (
            flow.as_ref(),
            packet.as_ref(),
            found.as_ref(),
            COUNTERS.get_ptr_mut(0),
        )
    }) else {
        return 0;
    };
    let bank = flow.generation & 1;
    let Some(config) = CONFIG.get(bank) else {
        return 0;
    };
    let metric = usize::from(found.metric) & (PACKET_METRICS - 1);
    let all = flow.mask & config.wants[metric];
    if all == 0 {
        return 0;
    }
    let wanted = asked(packet, found, all, bank);
    if wanted == 0 {
        return 0;
    }
    let class = if wanted == all {
        flow.class
    } else {
        class_of(wanted, bank)
    };
    if class == class::NONE {
        // SAFETY: this CPU's own value.
        let counters = unsafe { &mut *counters };
        counters.begin();
        counter::add(&mut counters.map_full, wanted);
        counters.end();
        return 0;
    }
    if let Some(stats) = CLASS_STATS.get_ptr_mut(u32::from(class)) {
        // SAFETY: this CPU's own value.
        unsafe { (*stats).measured[metric] += 1 };
    }
    wanted
}

/// Counts a refusal that is no round trip's.
#[inline(always)]
pub(crate) fn one(class: u16, reason: u32) {
    refusals(class, u64::from(reason) << 11 | 1);
}

/// Counts a latency of `metric` that was none.
#[inline(always)]
pub(crate) fn unmatched(class: u16, metric: u8, reason: u32) {
    let round_trip = u64::from(metric == TCP_RTT) << 15;
    refusals(class, round_trip | u64::from(reason) << 11 | 1);
}

/// Counts the refusals of a packet for a class.
#[inline(always)]
pub(crate) fn refusals(class: u16, refusals: u64) {
    let Some(stats) = CLASS_STATS.get_ptr_mut(u32::from(class)) else {
        return;
    };
    let mut rest = refusals;
    for _ in 0..REFUSALS {
        let reason = (rest >> 11) as usize & (REASONS - 1);
        let times = rest & 0x7ff;
        // SAFETY: this CPU's own value; the index is masked.
        unsafe {
            if rest & 1 << 15 == 0 {
                (*stats).refused[reason] += times;
            } else {
                (*stats).refused_rtt[reason] += times;
            }
        }
        rest >>= 16;
        if rest == 0 {
            break;
        }
    }
}

/// Counts what of a flow began to wait for its end and what waits no more (`latscope_matching::waits`). What began, less what
/// ended, less what waits in the flows that are there, was pushed out of its table (ACCURACY.md 21).
#[inline(always)]
pub(crate) fn waits(packet: &Packet, waits: u32) {
    if let Some(stats) = GROUP_STATS.get_ptr_mut(packet.group) {
        // SAFETY: this CPU's own value.
        unsafe {
            (*stats).begun[kind::SEGMENT as usize] += u64::from(waits & 0xff);
            (*stats).ended[kind::SEGMENT as usize] += u64::from(waits >> 8 & 0xff);
        }
    }
    if waits >> 16 != 0 {
        further_waits(packet, waits);
    }
}

/// What of [`waits`] few packets have.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn further_waits(packet: *const Packet, waits: u32) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the callers'.
    let Some(packet) = (unsafe { packet.as_ref() }) else {
        return 0;
    };
    let Some(stats) = GROUP_STATS.get_ptr_mut(packet.group) else {
        return 0;
    };
    let (half, request) = if packet.protocol == protocol::UDP {
        (kind::QUIC, kind::UDP)
    } else {
        (kind::SYN_ACK, kind::REQUEST)
    };
    // SAFETY: this CPU's own value.
    unsafe {
        (*stats).begun[half as usize] += u64::from(waits >> 16 & 15);
        (*stats).ended[half as usize] += u64::from(waits >> 20 & 15);
        (*stats).begun[request as usize] += u64::from(waits >> 24 & 15);
        (*stats).ended[request as usize] += u64::from(waits >> 28);
    }
    0
}
