//! From flow to latency: the state machines of `latscope_matching`, at the flow's home.

use latscope_events::{
    flow::{Direction, Flow, direction, home},
    pending::Pending,
};
use latscope_matching::{flow, handshake};

use crate::{
    classify::classify,
    clock::Tick,
    emit::Outcome,
    maps::{CONTROL, INTERFACES},
    packet::Packet,
    track::SILENCE,
};

/// The packet opens another connection on the flow's tuple.
pub(crate) const REOPENED: u32 = 1;

/// A packet of a flow that is known.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn known(flow: *mut Flow, packet: *const Packet) -> u32 {
    // SAFETY: the verifier asks for the checks; the memory is a map value and the caller's. Two CPUs may work on one
    // flow: fields have one writer each, and what two may claim is claimed by exchange.
    let (Some(flow), Some(packet)) = (unsafe { (flow.as_mut(), packet.as_ref()) }) else {
        return 0;
    };
    let Some(control) = CONTROL.get(0) else {
        return 0;
    };
    let generation = control.generation;
    let changed = flow.generation != generation;
    let way = &mut flow.direction[usize::from(packet.side & 1)];
    if way.home != packet.home && !moves(way, packet, changed) {
        return 0;
    }
    arrive(way, packet);
    if changed {
        classify(flow, packet, generation);
    }
    if flow::reopens(flow, packet.side, &packet.segment) {
        return REOPENED;
    }
    if flow.mask == 0 {
        return 0;
    }
    let mut tick = Tick::new(packet.time);
    let mut outcome = Outcome::new();
    flow::segment_of(flow, packet.side, &packet.segment, &mut tick, &mut outcome);
    outcome.settle(flow, packet, &mut tick);
    0
}

/// The first packet from the other side: a flow begins. Returns 1 when the packet is yet to be taken as one of the flow.
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
    flow::adopt(flow, first, &packet.segment);
    arrive(&mut flow.direction[usize::from(packet.side & 1)], packet);
    classify(flow, packet, control.generation);
    if flow.mask == 0 {
        return 0;
    }
    let mut tick = Tick::new(packet.time);
    let mut outcome = Outcome::new();
    let more = flow::answer(
        flow,
        first,
        packet.side,
        &packet.segment,
        &mut tick,
        &mut outcome,
    );
    outcome.settle(flow, packet, &mut tick);
    u32::from(more)
}

/// A SYN answered by RST: a flow of one packet, in `scratch`.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn refused(
    scratch: *mut Flow,
    packet: *const Packet,
    first: *const Pending,
) -> u32 {
    // SAFETY: as in `known`; `scratch` is this CPU's own.
    let (Some(flow), Some(packet), Some(first)) =
        (unsafe { (scratch.as_mut(), packet.as_ref(), first.as_ref()) })
    else {
        return 0;
    };
    let Some(control) = CONTROL.get(0) else {
        return 0;
    };
    flow.direction[0].flags = 0;
    flow.direction[1].flags = 0;
    flow::adopt(flow, first, &packet.segment);
    flow.opener = first.side;
    arrive(&mut flow.direction[usize::from(packet.side & 1)], packet);
    classify(flow, packet, control.generation);
    if flow.mask == 0 {
        return 0;
    }
    let mut tick = Tick::new(packet.time);
    let mut outcome = Outcome::new();
    handshake::answered(first, &packet.segment, &mut tick, &mut outcome);
    outcome.settle(flow, packet, &mut tick);
    0
}

/// Whether a direction's home moves to where this packet is seen: it has none, its interface is gone, or it fell silent
/// while packets of the direction pass here (an asymmetric route that changed).
#[inline(always)]
fn moves(way: &Direction, packet: &Packet, changed: bool) -> bool {
    if way.home == 0 || packet.coarse.wrapping_sub(way.home_seen) > SILENCE {
        return true;
    }
    // SAFETY: only whether it is there is asked.
    changed && unsafe { INTERFACES.get(home::ifindex(way.home)) }.is_none()
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
