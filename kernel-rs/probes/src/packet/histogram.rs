//! Latencies into histograms: one add for each way of grouping, whatever the number of sessions.

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd};

use aya_ebpf::bindings::BPF_NOEXIST;
use latscope_events::{
    config::EXPONENTS,
    counter,
    flow::{Flow, home},
    histogram::exponent,
    metric::TCP_RTT,
    series::{GROUPINGS, Grouping, REMEMBERED, SeriesKey, flags, key, pool, remembered},
};
use latscope_matching::Found;

use crate::{
    classify::client_side,
    maps::{CONFIG, COUNTERS, FREE, HISTOGRAMS, POOL, SERIES, SERIES_KEY, SERIES_OF, SPARE},
    packet::Packet,
};

/// Bit of `Packet::series`: the flow may remember the histogram.
const REMEMBERS: u8 = 2;
/// Times that a free histogram is tried for while other CPUs take them too.
const TRIES: u32 = 4;

/// Counts a latency in the histograms of `wanted`; those of them that get it as a sample of its own. Apart from `emit`, whose
/// stack would be below.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn enter(
    flow: *mut Flow,
    packet: *const Packet,
    found: *const Found,
    wanted: u64,
) -> u64 {
    // SAFETY: the verifier asks for the checks; the memory is a map value and the callers'.
    let (Some(flow), Some(packet), Some(found)) =
        (unsafe { (flow.as_mut(), packet.as_ref(), found.as_ref()) })
    else {
        return 0;
    };
    // Read once: another CPU may classify the flow for the next generation meanwhile.
    // SAFETY: a valid reference.
    let bank = unsafe { (&raw const flow.generation).read_volatile() } & 1;
    let Some(config) = CONFIG.get(bank) else {
        return 0;
    };
    // For some a round trip may have been too long: what the flow remembers is the histogram of all who want them.
    let all = found.metric == TCP_RTT && wanted == flow.mask & config.wants[usize::from(TCP_RTT)];
    packet
        .series
        .set(bank as u8 | if all { REMEMBERS } else { 0 });
    let mut lost = 0;
    for index in 0..GROUPINGS {
        if index as u32 >= config.groupings {
            break;
        }
        let sessions = wanted & config.grouping[index].sessions;
        if sessions != 0 && !count_in(flow, packet, found, index as u32, sessions) {
            lost |= sessions;
        }
    }
    let faster = config.faster[exponent(found.latency) as usize & (EXPONENTS - 1)];
    let withheld = wanted & (faster | !config.sampled);
    if withheld != 0
        && let Some(counters) = COUNTERS.get_ptr_mut(0)
    {
        // SAFETY: this CPU's own value.
        let counters = unsafe { &mut *counters };
        counters.begin();
        counter::add(&mut counters.withheld, withheld & !lost);
        counter::add(&mut counters.no_room, withheld & lost);
        counters.end();
    }
    wanted & !withheld
}

/// Counts a latency in the histogram of one way of grouping; whether there was room.
#[inline(always)]
fn count_in(flow: &mut Flow, packet: &Packet, found: &Found, grouping: u32, sessions: u64) -> bool {
    let place = grouping as usize;
    let mut number = 0;
    if place < REMEMBERED && noted(packet) & REMEMBERS != 0 {
        number = remembered::unpack(flow.histograms[place], u32::from(noted(packet)));
    }
    if number == 0 {
        number = series(flow, packet, found, grouping, sessions);
        if number == 0 {
            return false;
        }
        if place < REMEMBERED && noted(packet) & REMEMBERS != 0 && settled(flow, packet, grouping) {
            flow.histograms[place] = remembered::pack(number, u32::from(noted(packet)));
        }
    }
    if let Some(histogram) = HISTOGRAMS.get_ptr_mut(number - 1) {
        // SAFETY: this CPU's own value.
        unsafe { (*histogram).add(found.latency) };
    }
    true
}

/// What `enter` noted of the latency at hand. Read anew each time: the stack is too small.
#[inline(always)]
fn noted(packet: &Packet) -> u8 {
    // SAFETY: a valid pointer.
    unsafe { packet.series.as_ptr().read_volatile() }
}

/// Whether a flow's latencies are all in one histogram: not while its directions end at two interfaces that are told apart.
#[inline(always)]
fn settled(flow: &Flow, packet: &Packet, grouping: u32) -> bool {
    let Some(config) = CONFIG.get(u32::from(noted(packet)) & 1) else {
        return false;
    };
    config.grouping[grouping as usize & (GROUPINGS - 1)].keys & key::INTERFACE == 0
        || home::ifindex(flow.direction[0].home) == home::ifindex(flow.direction[1].home)
}

/// The number + 1 of the histogram that a latency belongs to, a new one if need be; where there is no room for that, the
/// one of all that had none. 0 when there is not even that.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn series(
    flow: *const Flow,
    packet: *const Packet,
    found: *const Found,
    grouping: u32,
    sessions: u64,
) -> u32 {
    // SAFETY: as in `enter`; the key is this CPU's own value.
    let (Some(flow), Some(packet), Some(found), Some(key)) = (unsafe {
        (
            flow.as_ref(),
            packet.as_ref(),
            found.as_ref(),
            SERIES_KEY.get_ptr_mut(0).and_then(|it| it.as_mut()),
        )
    }) else {
        return 0;
    };
    let bank = u32::from(noted(packet)) & 1;
    let Some(config) = CONFIG.get(bank) else {
        return 0;
    };
    let by = &config.grouping[grouping as usize & (GROUPINGS - 1)];
    for word in 0..4 {
        // SAFETY: valid references. Volatile, or the zeros become a call of memset.
        unsafe {
            (&raw mut key.client[word]).write_volatile(0);
            (&raw mut key.server[word]).write_volatile(0);
        }
    }
    key.sessions = sessions;
    key.ifindex = 0;
    key.result = 0;
    key.server_port = 0;
    key.metric = found.metric;
    key.grouping = grouping as u8;
    key.protocol = 0;
    key.flags = bank as u8 | flags::OTHER;
    key.reserved = 0;
    if by.keys == 0 {
        key.flags = bank as u8;
        return find(true);
    }
    fill(key, by, flow, packet, found);
    let number = find(false);
    if number != 0 {
        return number;
    }
    for word in 0..4 {
        // SAFETY: as above.
        unsafe {
            (&raw mut key.client[word]).write_volatile(0);
            (&raw mut key.server[word]).write_volatile(0);
        }
    }
    key.ifindex = 0;
    key.result = 0;
    key.server_port = 0;
    key.protocol = 0;
    key.flags = bank as u8 | flags::OTHER;
    find(true)
}

/// Enters what is grouped by.
#[inline(always)]
fn fill(key: &mut SeriesKey, by: &Grouping, flow: &Flow, packet: &Packet, found: &Found) {
    let from_client = packet.side == client_side(flow, packet);
    let ipv6 = packet.version == 6;
    let keys = by.keys;
    key.flags &= !flags::OTHER;
    if ipv6 && keys & (key::CLIENT_PREFIX | key::SERVER_PREFIX) != 0 {
        key.flags |= flags::IPV6;
    }
    for word in 0..4 {
        let mask = if ipv6 {
            by.ipv6_mask[word]
        } else if word == 0 {
            by.ipv4_mask
        } else {
            0
        };
        let (from, to) = (packet.src[word] & mask, packet.dst[word] & mask);
        if keys & key::CLIENT_PREFIX != 0 {
            key.client[word] = if from_client { from } else { to };
        }
        if keys & key::SERVER_PREFIX != 0 {
            key.server[word] = if from_client { to } else { from };
        }
    }
    if keys & key::SERVER_PORT != 0 {
        key.server_port = u16::from_be(if from_client {
            packet.dport
        } else {
            packet.sport
        });
    }
    if keys & key::INTERFACE != 0 {
        key.ifindex = packet.ifindex;
    }
    if keys & key::PROTOCOL != 0 {
        key.protocol = packet.protocol;
    }
    if keys & key::RESULT != 0 {
        key.result = i32::from(found.result);
    }
}

/// The number + 1 of the histogram of the key at hand, a new one if need be and there is one; the last free ones are for
/// those that nothing else can stand in for.
#[inline(always)]
fn find(last: bool) -> u32 {
    let Some(key) = SERIES_KEY.get(0) else {
        return 0;
    };
    // SAFETY: one aligned word.
    if let Some(number) = unsafe { SERIES.get(key) } {
        return *number;
    }
    let bank = u32::from(key.flags & flags::BANK);
    let (Some(config), Some(own)) = (
        CONFIG.get(bank),
        SERIES_OF.get_ptr_mut(bank * GROUPINGS as u32 + u32::from(key.grouping)),
    ) else {
        return 0;
    };
    // SAFETY: one aligned word of a map value, changed by addition alone.
    if !last && unsafe { own.read_volatile() } >= u64::from(config.most_series) {
        return 0;
    }
    let number = take(last);
    if number == 0 {
        // Others may have taken the last, and one of them for this very key.
        // SAFETY: as above.
        return unsafe { SERIES.get(key) }.map_or(0, |number| *number);
    }
    if SERIES.insert(key, number, u64::from(BPF_NOEXIST)).is_ok() {
        if !last {
            // SAFETY: as above.
            unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(own, 1) };
        }
        return number;
    }
    if let Some(spare) = SPARE.get_ptr_mut(0) {
        // SAFETY: this CPU's own value.
        unsafe { *spare = number };
    }
    // Another CPU was faster, or the table is full.
    // SAFETY: as above.
    unsafe { SERIES.get(key) }.map_or(0, |number| *number)
}

/// Takes a free histogram; its number + 1.
#[inline(always)]
fn take(last: bool) -> u32 {
    let (Some(spare), Some(taken), Some(given), Some(reserve), Some(size)) = (
        SPARE.get_ptr_mut(0),
        POOL.get_ptr_mut(pool::TAKEN),
        POOL.get(pool::GIVEN),
        POOL.get(pool::RESERVE),
        POOL.get(pool::SIZE),
    ) else {
        return 0;
    };
    // SAFETY: this CPU's own value.
    unsafe {
        if *spare != 0 {
            return core::ptr::replace(spare, 0);
        }
    }
    for _ in 0..TRIES {
        // SAFETY: aligned words of map values; the one that CPUs compete for is claimed by exchange.
        let (at, left) = unsafe {
            let at = taken.read_volatile();
            (at, (&raw const *given).read_volatile().wrapping_sub(at))
        };
        if left == 0 || left > *size || (!last && left <= *reserve) {
            return 0;
        }
        let Some(free) = at.checked_rem(*size).and_then(|at| FREE.get(at as u32)) else {
            return 0;
        };
        let number = *free;
        // SAFETY: as above.
        let (_, mine) = unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::AcqRel }, { AtomicOrdering::Acquire }>(
                taken,
                at,
                at.wrapping_add(1),
            )
        };
        if mine {
            return number + 1;
        }
    }
    0
}
