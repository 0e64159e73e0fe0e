//! Latencies on their way out: capped by session, written once for all.

use core::mem::MaybeUninit;

use latscope_events::{
    counter::{self, Counters},
    flow::{Flow, direction},
    metric::quality,
    sample::{NAME, NamedSample, PacketSample, flags},
};
use latscope_matching::{Clock, Found, Sink, flow::UNKNOWN};

use crate::{
    classify::{client_side, opened},
    clock::Tick,
    count,
    maps::{CONFIG, COUNTERS, NAMES},
    packet::Packet,
    ring::{ring, wakeup},
};

/// What one packet brought. Collected first and written once at the end, which keeps the state machines small.
pub(crate) struct Outcome {
    /// The first `count` are written; a packet brings at most two.
    found: [MaybeUninit<Found>; 2],
    count: u32,
    /// `latscope_matching::waits`.
    waits: u32,
    /// 16 bits each: round trip (1), reason (4), count (11).
    refusals: u64,
}

impl Sink for Outcome {
    #[inline(always)]
    fn found(&mut self, found: Found) {
        let place = self.found[self.count as usize & 1].as_mut_ptr();
        // SAFETY: inside the array. Volatile, or neighbouring fields are written as one word that is not aligned, which
        // the verifier refuses on the stack.
        unsafe {
            (&raw mut (*place).latency).write_volatile(found.latency);
            (&raw mut (*place).metric).write_volatile(found.metric);
            (&raw mut (*place).side).write_volatile(found.side);
            (&raw mut (*place).retries).write_volatile(found.retries);
            (&raw mut (*place).reserved).write_volatile(0);
            (&raw mut (*place).result).write_volatile(found.result);
            (&raw mut (*place).quality).write_volatile(found.quality);
        }
        self.count += 1;
    }

    #[inline(always)]
    fn refused_rtt(&mut self, reason: u32, count: u32) {
        self.refusals = self.refusals << 16 | 1 << 15 | u64::from(reason) << 11 | u64::from(count);
    }

    #[inline(always)]
    fn refused(&mut self, reason: u32) {
        self.refusals = self.refusals << 16 | u64::from(reason) << 11 | 1;
    }

    #[inline(always)]
    fn waits(&mut self, change: u32) {
        self.waits += change;
    }
}

impl Outcome {
    /// Nothing yet, in `room`: moved out of there it would be cleared by a call of memset.
    #[inline(always)]
    pub(crate) fn begin(room: &mut MaybeUninit<Self>) -> &mut Self {
        let place = room.as_mut_ptr();
        // SAFETY: `found` may be uninitialised, the rest is written. Volatile, or all of it becomes a call of memset.
        unsafe {
            (&raw mut (*place).count).write_volatile(0);
            (&raw mut (*place).waits).write_volatile(0);
            (&raw mut (*place).refusals).write_volatile(0);
            room.assume_init_mut()
        }
    }

    /// Writes it all out.
    #[inline(always)]
    pub(crate) fn settle(&self, flow: &mut Flow, packet: &Packet, tick: &mut Tick) {
        if self.waits != 0 {
            count::waits(packet, self.waits);
        }
        if self.refusals != 0 {
            count::refusals(flow.class, self.refusals);
        }
        if self.count > 0 {
            tell(flow, packet, self.found[0].as_ptr(), tick);
        }
        if self.count > 1 {
            tell(flow, packet, self.found[1].as_ptr(), tick);
        }
    }
}

#[inline(always)]
fn tell(flow: &mut Flow, packet: &Packet, found: *const Found, tick: &mut Tick) {
    let sampled = count::latency(flow, packet, found);
    if sampled != 0 {
        emit(flow, packet, found, tick.now(), sampled);
    }
}

/// Hands a latency to the ring, for those of `sampled` that are below their cap.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn emit(
    flow: *const Flow,
    packet: *const Packet,
    found: *const Found,
    now: u64,
    sampled: u64,
) -> u32 {
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
    // SAFETY: this CPU's own value.
    let counters = unsafe { &mut *counters };
    let open = cap(counters, flow.generation, sampled, now);
    if open == 0 {
        return 0;
    }
    let Some((ring, shard)) = ring() else {
        return 0;
    };
    let Some(mut entry) = ring.reserve_untyped::<PacketSample>(0) else {
        counters.begin();
        counter::add(&mut counters.ring_full, open);
        counters.end();
        return 0;
    };
    fill(entry.as_mut_ptr(), flow, packet, found, open, now);
    entry.submit(wakeup(ring, shard));
    0
}

/// [`emit`] with the name in the room for names.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn emit_named(
    flow: *const Flow,
    packet: *const Packet,
    found: *const Found,
    now: u64,
    sampled: u64,
) -> u32 {
    // SAFETY: as in `emit`.
    let (Some(flow), Some(packet), Some(found), Some(counters), Some(name)) = (unsafe {
        (
            flow.as_ref(),
            packet.as_ref(),
            found.as_ref(),
            COUNTERS.get_ptr_mut(0),
            NAMES.get_ptr_mut(0),
        )
    }) else {
        return 0;
    };
    // SAFETY: this CPU's own value.
    let counters = unsafe { &mut *counters };
    let open = cap(counters, flow.generation, sampled, now);
    if open == 0 {
        return 0;
    }
    let Some((ring, shard)) = ring() else {
        return 0;
    };
    let Some(mut entry) = ring.reserve_untyped::<NamedSample>(0) else {
        counters.begin();
        counter::add(&mut counters.ring_full, open);
        counters.end();
        return 0;
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the reservation is as large as the record and aligned; the room for names is larger than the record's.
    unsafe {
        fill(&raw mut (*record).sample, flow, packet, found, open, now);
        #[expect(
            clippy::cast_ptr_alignment,
            reason = "the name follows whole words in the record"
        )]
        let to = (&raw mut (*record).name).cast::<u64>();
        for word in 0..NAME / 8 {
            to.add(word)
                .write((&raw const (*name)[word]).read_volatile());
        }
    }
    entry.submit(wakeup(ring, shard));
    0
}

/// Sessions of `sampled` that are below their cap in the current second; the others' samples are counted.
#[inline(always)]
fn cap(counters: &mut Counters, generation: u32, sampled: u64, now: u64) -> u64 {
    let Some(config) = CONFIG.get(generation & 1) else {
        return 0;
    };
    counters.begin();
    let cap = &mut counters.cap;
    let open = cap.admit(&config.cap, config.capped, generation, sampled, now);
    counter::add(&mut counters.rate_limited, sampled & !open);
    counters.end();
    open
}

#[inline(always)]
fn fill(
    sample: *mut PacketSample,
    flow: &Flow,
    packet: &Packet,
    found: &Found,
    mask: u64,
    now: u64,
) {
    let client = client_side(flow, packet);
    let from_client = packet.side == client;
    let mut bits = 0;
    if packet.version == 6 {
        bits |= flags::IPV6;
    }
    if found.side != client {
        bits |= flags::FROM_SERVER;
    }
    if flow.opener == UNKNOWN {
        bits |= flags::OPENER_UNKNOWN;
    }
    let mut quality = found.quality;
    if flow.direction[usize::from(packet.side & 1)].flags & direction::LOCAL != 0 {
        quality |= quality::INCLUDES_LOCAL_HOST;
    }
    // SAFETY: the reservation is as large as the record and aligned; every byte of it is written.
    unsafe {
        (*sample).mask = mask;
        (*sample).time_ns = now;
        (*sample).latency_ns = found.latency;
        let (from, to) = (&raw const packet.src, &raw const packet.dst);
        let (opener, other) = if from_client { (from, to) } else { (to, from) };
        copy(opener, &raw mut (*sample).client);
        copy(other, &raw mut (*sample).server);
        (*sample).generation = flow.generation;
        (*sample).ifindex = packet.ifindex;
        (*sample).result = i32::from(found.result);
        (*sample).client_port = u16::from_be(if from_client {
            packet.sport
        } else {
            packet.dport
        });
        (*sample).server_port = u16::from_be(if from_client {
            packet.dport
        } else {
            packet.sport
        });
        (*sample).vlan = packet.outer_vlan;
        (*sample).quality = quality;
        (*sample).metric = found.metric;
        (*sample).protocol = packet.protocol;
        (*sample).flags = bits;
        (*sample).direction = opened(flow, client);
        (*sample).ttl = packet.ttl;
        (*sample).retries = found.retries;
        (*sample).reserved = 0;
        (*sample).reserved_too = 0;
    }
}

/// Copies an address by words: left to itself the compiler calls memmove, a byte loop.
///
/// # Safety
///
/// Both pointers are valid.
#[inline(always)]
unsafe fn copy(from: *const [u32; 4], to: *mut [u32; 4]) {
    for word in 0..4 {
        // SAFETY: inside both arrays.
        unsafe { (*to.cast::<[u32; 4]>())[word] = (&raw const (*from)[word]).read_volatile() };
    }
}
