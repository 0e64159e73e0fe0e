//! Flows of UDP, in tables of their own: many short exchanges (DNS, QUIC) push out one another, never a connection
//! (ACCURACY.md 12, 22).

use aya_ebpf::{bindings::BPF_NOEXIST, btf_maps::LruHashMap};
use latscope_events::{
    class::kind,
    flow::Flow,
    pending::{Pending, flags},
};
use latscope_matching::{Clock as _, quic};

use crate::{
    clock::Tick,
    maps::{HEARD, PENDING4, PENDING6, UDP_FLOWS4, UDP_FLOWS6},
    measure, options,
    packet::Packet,
    track::{ZERO, begun, ended, first_of, is_at_home, key4, key6},
};

/// Follows a datagram of IPv4. A function of its own, which the verifier walks once, with a stack of its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn datagram4(packet: *mut Packet) -> u32 {
    // SAFETY: the verifier asks for the check; the memory is the caller's.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return 0;
    };
    let key = key4(packet);
    look(&UDP_FLOWS4, &PENDING4, &key, packet);
    0
}

/// [`datagram4`] for IPv6.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn datagram6(packet: *mut Packet) -> u32 {
    // SAFETY: as in `datagram4`.
    let Some(packet) = (unsafe { packet.as_mut() }) else {
        return 0;
    };
    let key = key6(packet);
    look(&UDP_FLOWS6, &PENDING6, &key, packet);
    0
}

#[inline(always)]
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a flow by value would go over the stack"
)]
fn look<K: Copy, const F: usize, const P: usize>(
    flows: &LruHashMap<K, Flow, F>,
    pending: &LruHashMap<K, Pending, P>,
    key: &K,
    packet: &Packet,
) {
    if let Some(flow) = flows.get_ptr_mut(key) {
        measure::exchanged(flow, packet);
        return;
    }
    let Some(first) = pending.get_ptr_mut(key) else {
        if let Some(fresh) = HEARD.get_ptr_mut(0) {
            // SAFETY: this CPU's own value.
            let fresh = unsafe { &mut *fresh };
            first_of(fresh, packet);
            asks(fresh, packet, Tick::new(packet.time).now());
            let _ = pending.insert(key, &*fresh, 0);
            begun(packet, kind::UDP);
        }
        return;
    };
    // SAFETY: a map value; two CPUs may write the same plain integers, each of which stays whole.
    let first = unsafe { &mut *first };
    if first.side == packet.side {
        asks_again(first, packet);
        return;
    }
    // Any datagram may be an answer. Another CPU may have been faster; the flow is its then.
    if flows.insert(key, &ZERO, u64::from(BPF_NOEXIST)).is_ok()
        && let Some(flow) = flows.get_ptr_mut(key)
    {
        measure::established(flow, packet, first);
        // What waits goes on doing so in the flow.
        begun(packet, kind::UDP);
        if first.flags & flags::QUIC != 0 {
            begun(packet, kind::QUIC);
        }
        measure::exchanged(flow, packet);
    }
    if pending.remove(key).is_ok() {
        ended(packet, kind::UDP);
    }
}

/// Notes the first datagram of a burst.
#[inline(always)]
fn asks(first: &mut Pending, packet: &Packet, now: u64) {
    first.time = now;
    first.flags &= !flags::QUIC;
    if packet.quic == quic::INITIAL {
        first.flags |= flags::QUIC;
    }
}

/// A further datagram from the same side.
#[inline(always)]
fn asks_again(first: &mut Pending, packet: &Packet) {
    if !is_at_home(first, packet) {
        return;
    }
    let now = Tick::new(packet.time).now();
    if now.wrapping_sub(first.time) > options::idle_ns(packet) {
        // Nobody answered the burst before.
        asks(first, packet, now);
        begun(packet, kind::UDP);
    }
}
