//! From flow to latency: the state machines of `latscope_matching`, at the flow's home.

use core::mem::MaybeUninit;

use latscope_events::{
    flow::{Direction, Flow, direction, home},
    metric::{DNS_REPLY, quality},
    pending::Pending,
    refusal::{CLOCK_BACKWARDS, UNMATCHED_START},
    series::REMEMBERED,
};
use latscope_matching::{Clock as _, Found, clock::LONGEST_NS, exchange, flow, handshake, quic};

use crate::{
    classify::classify,
    clock::Tick,
    count,
    emit::{self, Outcome},
    maps::{CONTROL, INTERFACES},
    options,
    packet::Packet,
    parse::protocol,
    track::SILENCE,
};

/// The packet opens another connection on the flow's tuple.
pub(crate) const REOPENED: u32 = 1;
/// [`renewed`] is yet to be called: here it would be one call too deep for the stack.
const STALE: u32 = 2;

/// A segment of a flow that is known. Returns 0 or [`REOPENED`].
#[inline(always)]
pub(crate) fn seen(flow: *mut Flow, packet: *const Packet) -> u32 {
    match known(flow, packet) {
        STALE if renewed(flow, packet) != 0 => known(flow, packet),
        outcome => outcome,
    }
}

/// A datagram of a flow that is known.
#[inline(always)]
pub(crate) fn exchanged(flow: *mut Flow, packet: *const Packet) {
    if datagram(flow, packet) == STALE && renewed(flow, packet) != 0 {
        datagram(flow, packet);
    }
}

/// [`seen`], but [`STALE`] when the flow was classified for another session set.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn known(flow: *mut Flow, packet: *const Packet) -> u32 {
    // SAFETY: the verifier asks for the checks; the memory is a map value and the caller's. Two CPUs may work on one
    // flow: fields have one writer each, and what two may claim is claimed by exchange.
    let (Some(flow), Some(packet)) = (unsafe { (flow.as_mut(), packet.as_ref()) }) else {
        return 0;
    };
    let place = place(flow, packet);
    if place != HOME {
        return place;
    }
    if flow::reopens(flow, packet.side, &packet.segment) {
        return REOPENED;
    }
    if flow.mask == 0 {
        return 0;
    }
    let mut tick = Tick::new(packet.time);
    let mut room = MaybeUninit::uninit();
    let outcome = Outcome::begin(&mut room);
    flow::segment_of(flow, packet.side, &packet.segment, &mut tick, outcome);
    outcome.settle(flow, packet, &mut tick);
    0
}

/// Of what [`place`] returns: the packet counts. Others are [`STALE`] and 0, for one that passes elsewhere too.
const HOME: u32 = 3;

/// Whether a packet is where its flow is at home; notes that it passed.
#[inline(always)]
fn place(flow: &mut Flow, packet: &Packet) -> u32 {
    let Some(control) = CONTROL.get(0) else {
        return 0;
    };
    if flow.generation != control.generation {
        return STALE;
    }
    let way = &mut flow.direction[usize::from(packet.side & 1)];
    if way.home != packet.home && !moves(way, packet) {
        return 0;
    }
    if way.home != packet.home {
        forget_histograms(&mut flow.histograms);
    }
    arrive(&mut flow.direction[usize::from(packet.side & 1)], packet);
    HOME
}

/// Classifies a flow that is known for the session set of now. Returns 1, or 0 when the packet is not at the flow's home.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn renewed(flow: *mut Flow, packet: *const Packet) -> u32 {
    // SAFETY: as in `known`.
    let (Some(flow), Some(packet)) = (unsafe { (flow.as_mut(), packet.as_ref()) }) else {
        return 0;
    };
    let Some(control) = CONTROL.get(0) else {
        return 0;
    };
    forsake(&mut flow.direction[0]);
    forsake(&mut flow.direction[1]);
    let way = &mut flow.direction[usize::from(packet.side & 1)];
    if way.home != packet.home && !moves(way, packet) {
        return 0;
    }
    arrive(way, packet);
    classify(flow, packet, control.generation);
    1
}

/// The first packet from the other side: a flow begins.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn established(
    flow: *mut Flow,
    packet: *const Packet,
    first: *const Pending,
) -> u32 {
    // SAFETY: as in `known`.
    let (Some(flow), Some(packet), Some(first)) =
        (unsafe { (flow.as_mut(), packet.as_ref(), first.as_ref()) })
    else {
        return 0;
    };
    let Some(control) = CONTROL.get(0) else {
        return 0;
    };
    if packet.protocol == protocol::UDP {
        flow::adopt_datagram(flow, first);
    } else {
        flow::adopt(flow, first, &packet.segment);
    }
    arrive(&mut flow.direction[usize::from(packet.side & 1)], packet);
    classify(flow, packet, control.generation);
    0
}

/// The segment that established a flow, measured. A function of its own, or the stack would be too small for [`classify`].
/// Returns 1 when it is yet to be taken as one of the flow. Also of a flow that nobody wants: where its numbers begin may
/// be asked later.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn answered(
    flow: *mut Flow,
    packet: *const Packet,
    first: *const Pending,
) -> u32 {
    // SAFETY: as in `known`.
    let (Some(flow), Some(packet), Some(first)) =
        (unsafe { (flow.as_mut(), packet.as_ref(), first.as_ref()) })
    else {
        return 0;
    };
    let mut tick = Tick::new(packet.time);
    let mut room = MaybeUninit::uninit();
    let outcome = Outcome::begin(&mut room);
    let more = flow::answer(
        flow,
        first,
        packet.side,
        &packet.segment,
        &mut tick,
        outcome,
    );
    outcome.settle(flow, packet, &mut tick);
    u32::from(more)
}

/// [`exchanged`], but [`STALE`] when the flow was classified for another session set.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn datagram(flow: *mut Flow, packet: *const Packet) -> u32 {
    // SAFETY: as in `known`.
    let (Some(flow), Some(packet)) = (unsafe { (flow.as_mut(), packet.as_ref()) }) else {
        return 0;
    };
    let place = place(flow, packet);
    if place != HOME {
        return place;
    }
    if flow.mask == 0 {
        return 0;
    }
    let mut tick = Tick::new(packet.time);
    let mut room = MaybeUninit::uninit();
    let outcome = Outcome::begin(&mut room);
    exchange::datagram(
        flow,
        packet.side,
        options::idle_ns(packet),
        &mut tick,
        outcome,
    );
    if packet.quic != quic::NONE {
        quic::packet(flow, packet.side, packet.quic, &mut tick, outcome);
    }
    outcome.settle(flow, packet, &mut tick);
    0
}

/// A SYN that failed with `errno`: a flow of one packet, in `scratch`.
#[inline(always)]
pub(crate) fn failed(scratch: *mut Flow, packet: *const Packet, first: *const Pending, errno: u32) {
    if wanted_once(scratch, packet, first) != 0 {
        failed_with(scratch, packet, first, errno);
    }
}

/// [`once`]. A function of its own, or the stack would be too small for [`classify`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn wanted_once(scratch: *mut Flow, packet: *const Packet, first: *const Pending) -> u32 {
    // SAFETY: as in `known`; `scratch` is this CPU's own.
    let (Some(flow), Some(packet), Some(first)) =
        (unsafe { (scratch.as_mut(), packet.as_ref(), first.as_ref()) })
    else {
        return 0;
    };
    u32::from(once(flow, packet, first))
}

/// [`failed`], of a flow that somebody wants.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn failed_with(
    scratch: *mut Flow,
    packet: *const Packet,
    first: *const Pending,
    errno: u32,
) -> u32 {
    // SAFETY: as in `wanted_once`.
    let (Some(flow), Some(packet), Some(first)) =
        (unsafe { (scratch.as_mut(), packet.as_ref(), first.as_ref()) })
    else {
        return 0;
    };
    let mut tick = Tick::new(packet.time);
    let mut room = MaybeUninit::uninit();
    let outcome = Outcome::begin(&mut room);
    handshake::answered(first, &packet.segment, errno as i16, &mut tick, outcome);
    outcome.settle(flow, packet, &mut tick);
    0
}

/// The answer to a request that bears an id: a flow of one packet, in `scratch`.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn transacted(
    scratch: *mut Flow,
    packet: *const Packet,
    first: *const Pending,
    metric: u32,
) -> u32 {
    // SAFETY: as in `wanted_once`.
    let (Some(flow), Some(packet), Some(first)) =
        (unsafe { (scratch.as_mut(), packet.as_ref(), first.as_ref()) })
    else {
        return 0;
    };
    if !once(flow, packet, first) {
        return 0;
    }
    let now = Tick::new(packet.time).now();
    let latency = now.wrapping_sub(first.time);
    if latency > LONGEST_NS {
        let reason = if latency < 1 << 63 {
            UNMATCHED_START
        } else {
            CLOCK_BACKWARDS
        };
        count::one(flow.class, reason);
        return 0;
    }
    let found = Found {
        latency,
        metric: metric as u8,
        side: first.side,
        retries: first.retries,
        result: packet.result,
        quality: if first.retries > 0 {
            quality::QUERY_RETRANSMITTED
        } else {
            0
        },
        reserved: 0,
    };
    let sampled = count::latency(flow, packet, &raw const found);
    if sampled == 0 {
        0
    } else if metric == u32::from(DNS_REPLY) {
        emit::emit_named(flow, packet, &raw const found, now, sampled)
    } else {
        emit::emit(flow, packet, &raw const found, now, sampled)
    }
}

/// Makes `flow` one of `first` and the packet that answers it; whether anybody wants it.
#[inline(always)]
fn once(flow: &mut Flow, packet: &Packet, first: &Pending) -> bool {
    let Some(control) = CONTROL.get(0) else {
        return false;
    };
    flow.direction[0].flags = 0;
    flow.direction[1].flags = 0;
    flow::adopt_datagram(flow, first);
    arrive(&mut flow.direction[usize::from(packet.side & 1)], packet);
    classify(flow, packet, control.generation);
    flow.mask != 0
}

/// Another interface, another generation: the histograms of before are not the flow's any more.
#[inline(always)]
pub(crate) fn forget_histograms(histograms: &mut [u16; REMEMBERED]) {
    for histogram in histograms {
        // SAFETY: a valid reference. Volatile, or the loop becomes a call of memset.
        unsafe { core::ptr::write_volatile(histogram, 0) };
    }
}

/// Gives a direction's home up when its interface is gone.
#[inline(always)]
fn forsake(way: &mut Direction) {
    // SAFETY: only whether it is there is asked.
    if unsafe { INTERFACES.get(home::ifindex(way.home)) }.is_none() {
        way.home = 0;
    }
}

/// Whether a direction's home moves to where this packet is seen: it has none, or it fell silent while packets of the
/// direction pass here (an asymmetric route that changed).
#[inline(always)]
fn moves(way: &Direction, packet: &Packet) -> bool {
    way.home == 0 || packet.coarse.wrapping_sub(way.home_seen) > SILENCE
}

/// Notes where and how a packet of a direction was seen.
#[inline(always)]
fn arrive(way: &mut Direction, packet: &Packet) {
    way.home = packet.home;
    way.home_seen = packet.coarse;
    way.ttl = packet.ttl;
    if packet.local != 0 {
        way.flags |= direction::LOCAL;
    }
}
