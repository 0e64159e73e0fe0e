//! Latencies and refusals on their way out: counted by class, capped by session, written once for all.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::bindings::bpf_sock_ops;
use latscope_events::{
    class,
    config::EXPONENTS,
    counter,
    histogram::exponent,
    metric::PACKET_METRICS,
    refusal::REASONS,
    socket::{Socket, SocketSample, flags, side},
};

use crate::{
    histogram,
    maps::{CLASS_STATS, CONFIG, COUNTERS, SAMPLES, WORK},
    measure::Ends,
    wake::wakeup,
};

/// What one call brought.
#[repr(C)]
pub(crate) struct Found {
    pub(crate) latency: u64,
    pub(crate) time: u64,
    pub(crate) result: i16,
    pub(crate) retries: u16,
    pub(crate) quality: u16,
    /// 0 = nothing.
    pub(crate) metric: u8,
    pub(crate) reserved: u8,
}

/// Counts a latency and hands it to the ring, for every session that wants it and is below its cap.
#[inline(always)]
pub(crate) fn emit(ops: *mut bpf_sock_ops, socket: &Socket, found: &Found, slot: u32) {
    let (Some(config), Some(counters), Some(work)) = (
        CONFIG.get(socket.generation & 1),
        COUNTERS.get_ptr_mut(slot),
        WORK.get_ptr_mut(slot),
    ) else {
        return;
    };
    // SAFETY: no other call on this CPU has this slot.
    let (counters, work) = unsafe { (&mut *counters, &mut *work) };
    let metric = usize::from(found.metric) & (PACKET_METRICS - 1);
    let wanted = socket.mask & config.wants[metric];
    if wanted == 0 {
        return;
    }
    if socket.class == u32::from(class::NONE) {
        counters.begin();
        counter::add(&mut counters.map_full, wanted);
        counters.end();
        return;
    }
    if let Some(stats) = CLASS_STATS.get_ptr_mut(socket.class) {
        // SAFETY: a map value; one word, changed as a whole.
        unsafe { add(&raw mut (*stats).measured[metric]) };
    }
    work.place(ops, socket);
    let lost = histogram::count(socket, found, slot, wanted);
    let faster = config.faster[exponent(found.latency) as usize & (EXPONENTS - 1)];
    let withheld = wanted & (faster | !config.sampled);
    if withheld != 0 {
        counters.begin();
        counter::add(&mut counters.withheld, withheld & !lost);
        counter::add(&mut counters.no_room, withheld & lost);
        counters.end();
    }
    let sampled = wanted & !withheld;
    if sampled == 0 {
        return;
    }
    counters.begin();
    let cap = &mut counters.cap;
    let open = cap.admit(
        &config.cap,
        config.capped,
        socket.generation,
        sampled,
        found.time,
    );
    counter::add(&mut counters.rate_limited, sampled & !open);
    counters.end();
    if open == 0 {
        return;
    }
    let Some(mut entry) = SAMPLES.reserve_untyped::<SocketSample>(0) else {
        counters.begin();
        counter::add(&mut counters.ring_full, open);
        counters.end();
        return;
    };
    fill(entry.as_mut_ptr(), ops, socket, found, open);
    entry.submit(wakeup());
}

/// Counts a latency that is not reported.
#[inline(always)]
pub(crate) fn refuse(socket: &Socket, reason: u32) {
    if let Some(stats) = CLASS_STATS.get_ptr_mut(socket.class) {
        // SAFETY: a map value; one word, changed as a whole.
        unsafe { add(&raw mut (*stats).refused[reason as usize & (REASONS - 1)]) };
    }
}

/// # Safety
///
/// A word of a map value.
#[inline(always)]
unsafe fn add(word: *mut u64) {
    // SAFETY: the caller's promise.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(word, 1) };
}

#[inline(always)]
fn fill(
    sample: *mut SocketSample,
    ops: *mut bpf_sock_ops,
    socket: &Socket,
    found: &Found,
    mask: u64,
) {
    let ends = Ends::of(ops);
    let mut bits = 0;
    if ends.ipv6 {
        bits |= flags::IPV6;
    }
    if ends.passive(socket) {
        bits |= flags::PASSIVE;
    }
    if socket.side == side::UNKNOWN {
        bits |= flags::OPENER_UNKNOWN;
    }
    // SAFETY: the reservation is as large as the record and aligned; every byte of it is written.
    unsafe {
        (*sample).mask = mask;
        (*sample).time_ns = found.time;
        (*sample).latency_ns = found.latency;
        (*sample).cgroup = socket.cgroup;
        // By words: left to itself the compiler calls memmove, a byte loop.
        for word in 0..2 {
            (*sample).comm[word] = (&raw const socket.comm[word]).read_volatile();
        }
        (*sample).local = ends.local;
        (*sample).remote = ends.remote;
        (*sample).pid = socket.pid;
        (*sample).tid = socket.tid;
        (*sample).generation = socket.generation;
        (*sample).result = i32::from(found.result);
        (*sample).local_port = ends.local_port;
        (*sample).remote_port = ends.remote_port;
        (*sample).quality = found.quality;
        (*sample).metric = found.metric;
        (*sample).flags = bits;
        (*sample).retries = u32::from(found.retries);
        (*sample).reserved = 0;
    }
}
